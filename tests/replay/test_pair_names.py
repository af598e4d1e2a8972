import subprocess
import sys

import yaml

from make_us_rich.domain.pair import Pair
from make_us_rich.replay import SimulatedMarket
from make_us_rich.replay.pair_names import FIRST, pair_names


def test_four_hundred_pairs_are_all_different_and_traded_on_the_simulated_market() -> None:
    names = pair_names(400)

    assert len(set(names)) == 400
    assert tuple(names[:3]) == FIRST
    market = SimulatedMarket()
    assert [name for name in names if market.price_decimals(Pair.parse(name).symbol) == 0] == []


def test_fewer_pairs_are_the_first_of_more() -> None:
    assert pair_names(400)[:40] == pair_names(40)


def test_the_command_writes_a_file_of_parameters() -> None:
    command = [sys.executable, "-m", "make_us_rich.replay.pair_names", "5"]
    written = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert yaml.safe_load(written) == {"pairs": pair_names(5)}
