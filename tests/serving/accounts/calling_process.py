"""A process of its own that makes calls until the quota is used up: a dot for each that passed, the first at once."""

import asyncio
import os
import sys

from serving.accounts.accounts import Accounts
from serving.accounts.errors import QuotaError
from serving.accounts.settings import AccountsSettings

CLIENTS = 16
REFUSALS = 24  # In a row: long enough for idle blocks of other processes to go back, however busy the machine is.


async def client(accounts: Accounts, token: str) -> None:
    refused = 0
    while refused < REFUSALS:
        try:
            await accounts.gatekeeper.admit(token)
        except QuotaError:
            refused += 1
            await asyncio.sleep(0.25)
        else:
            os.write(1, b".")
            refused = 0
            await asyncio.sleep(0.01)


async def main(url: str, token: str) -> None:
    accounts = Accounts(
        AccountsSettings(database_url=url, block_idle_seconds=0.3, database_seconds=20, password_memory_kib=64)
    )
    await accounts.start()
    await accounts.gatekeeper.admit(token)
    os.write(1, b".")
    sys.stdin.readline()  # All begin together.
    await asyncio.gather(*(client(accounts, token) for _ in range(CLIENTS)))
    await accounts.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
