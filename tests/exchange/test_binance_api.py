"""What of python-binance is imported."""

import subprocess
import sys

IMPORTED = """
import sys
from make_us_rich.exchange.binance_api import Client
assert "aiohttp" not in sys.modules
import binance
assert binance.Client is Client
assert binance.AsyncClient
"""


def test_our_part_comes_without_the_rest_which_stays_there_for_others() -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IMPORTED], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stderr
