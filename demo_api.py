"""The last step of ``make demo``: the API on what has been trained, asked over HTTP by a user who registers for it.

Nothing is kept and nothing goes on running: the accounts are in a folder of their own, the exchange is a thread.
"""

import os
import secrets
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from omegaconf import OmegaConf

from make_us_rich.domain.errors import MakeUsRichError
from make_us_rich.replay import ReplayServer, SimulatedMarket
from serve import PREFIX, START_SECONDS, EndedError, Family, Part, ended_by_signals

SHOWN = 3
"""Pairs; of forty nobody wants all."""
HOURS = (1, 2, 4, 8, 12, 24)
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_PAUSE_SECONDS = 0.1


def main() -> int:
    """Show the forecasts; returns the exit code: 0, 1 where the API failed, 130 where it was interrupted."""
    try:
        with ended_by_signals(), ExitStack() as stack:
            _show(_started(stack))
    except KeyboardInterrupt:
        return 130
    except (MakeUsRichError, httpx.HTTPError) as error:
        sys.stderr.write(f"demo: {error}\n")
        return 1
    return 0


def _started(stack: ExitStack) -> httpx.Client:
    """A client of an API that is ready; what is on the stack ends it."""
    wanted = OmegaConf.load(Path("conf/demo/globals.yml"))
    exchange = stack.enter_context(ReplayServer(SimulatedMarket(seed=wanted.replay.seed)))
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    port = _free_port()
    settings = {
        "ENV": "demo",
        "PORT": port,
        "EXCHANGE_URL": exchange.url,
        "DATABASE_URL": f"sqlite:///{folder}/accounts.db",
        "LOG_FORMAT": "plain",
        "ACCESS_LOG": False,
    }
    family = Family(os.environ | {f"{PREFIX}{name}": str(value) for name, value in settings.items()})
    stack.callback(family.end)
    url = f"http://127.0.0.1:{port}"
    family.start(Part("API", ("serving",), url, "/healthz", f"{PREFIX}PORT"))
    client = stack.enter_context(httpx.Client(base_url=url, timeout=30, trust_env=False))
    _wait(client, family)
    return client


def _wait(client: httpx.Client, family: Family) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not all(pair["issued_at"] or pair["problem"] for pair in _pairs(client)):
        family.look()
        if time.monotonic() > deadline:
            raise EndedError(f"the API has no forecast: {client.get('/readyz').text}")
        time.sleep(_PAUSE_SECONDS)
    if not any(pair["issued_at"] for pair in _pairs(client)):
        raise EndedError("; ".join(pair["problem"] for pair in _pairs(client)))


def _pairs(client: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _checked(client.get("/api/v1/pairs")).json()["pairs"]
    return found


def _show(client: httpx.Client) -> None:
    user = {"name": f"demo-{secrets.token_hex(4)}", "password": secrets.token_urlsafe(16)}
    token = _checked(client.post("/api/v1/register", json=user)).json()["api_token"]
    print(f"\nThe API, asked over HTTP by {user['name']}, who has just registered. Prices in quote currency:")
    served = [pair for pair in _pairs(client) if pair["issued_at"]]
    for pair in served[:SHOWN]:
        currency, compare = pair["pair"].split("_")
        query = {"currency": currency, "compare": compare}
        answer = _checked(client.put("/api/v1/predict", params=query, headers={"Authorization": f"Bearer {token}"}))
        print("\n".join(_lines(answer.json())))
    left, limit = (answer.headers[f"x-ratelimit-{name}"] for name in ("remaining", "limit"))
    print(f"\n{left} of {limit} calls are left this month.")
    print("\nIn a browser: KEDRO_ENV=demo make serve")
    print("It prints the address, and the name and the password of a demo account.")


def _checked(answer: httpx.Response) -> httpx.Response:
    """An answer that is what was asked for.

    Raises:
        EndedError: It is an error.
    """
    if not answer.is_success:
        raise EndedError(f"{answer.request.method} {answer.request.url.path}: {answer.text}")
    return answer


def _lines(told: dict[str, Any]) -> Iterator[str]:
    """A forecast as a table."""
    made = told["forecast"]
    issued, columns = datetime.fromisoformat(made["issued_at"]), [made["levels"].index(level) for level in LEVELS]
    yield ""
    yield f"{told['pair']}: {made['last_close']:g} at {issued:%Y-%m-%d %H:%M} UTC, forecast by {made['architecture']}"
    yield "  closes at (UTC)" + "".join(f"{f'{level:.0%}':>12}" for level in LEVELS)
    for hour in HOURS:
        at, row = datetime.fromisoformat(made["closes_at"][hour - 1]), made["quantiles"][hour - 1]
        yield f"  {at:%d %b %H:%M}    " + "".join(f"{row[column]:>12.6g}" for column in columns)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
