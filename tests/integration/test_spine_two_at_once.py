"""Two runs at once: refused for one pair, fine for two."""

import json
import time
from typing import Any

import pytest

from make_us_rich.replay import Faults, ReplayServer


def wait_for_node(command: Any) -> None:
    """Until the first node is done, so that the run holds its pair."""
    while command.running and not command.nodes:
        time.sleep(0.01)
    assert command.running, command.errors


@pytest.mark.parametrize("second", ["run", "rollback"])
def test_a_second_command_for_a_pair_is_refused_at_once_and_the_first_one_succeeds(
    project: Any, served: Any, second: str
) -> None:
    first = project.run()
    wait_for_node(first)
    command = project.run() if second == "run" else project.start("rollback", "btc_usdt", "--to", served.version)
    line = command.error()
    assert line.startswith(f"btc_usdt: another run (process {first.pid}, since ")
    assert line.endswith("wait for it to end")
    assert not command.nodes
    first.ok()
    assert len(project.versions()) == 2
    assert project.champion().manifest.version == served.version


def test_a_refused_run_of_all_pairs_lets_the_others_go(project: Any, exchange: ReplayServer) -> None:
    exchange.faults = Faults({"latency": 1}, latency_seconds=1.5)
    project.write_local("pairs: [ltc_usdt, btc_usdt]\n")
    project.exchange = exchange.url
    first = project.run(pipeline="btc_usdt", history_days=91)
    lock = project.path(".locks", "btc_usdt.lock")
    while first.running and json.loads(lock.read_text() or "{}").get("process") != first.pid:
        time.sleep(0.01)
    assert "btc_usdt: another run" in project.run(pipeline=None).error()
    exchange.faults = Faults()
    project.run("--tags=fetching", pipeline="ltc_usdt").ok()
    first.ok()


@pytest.mark.parametrize("begun", [True, False], ids=["a store that exists", "an empty store"])
def test_two_pairs_at_once_both_succeed(request: pytest.FixtureRequest, begun: bool) -> None:
    project = request.getfixturevalue("project" if begun else "new_project")
    runs = [project.run(pipeline=pair) for pair in ("eth_usdt", "chz_usdt")]
    for command in runs:
        command.ok()
    assert project.champion("eth_usdt").manifest.pair == "eth_usdt"
    assert project.champion("chz_usdt").manifest.pair == "chz_usdt"
