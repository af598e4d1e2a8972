"""Parameters and names that cannot be meant: one line before any node runs, and the champion stays."""

from typing import Any

import pytest

REFUSED = [
    ({"nonsense": 1}, ["parameter nonsense", "--params"]),
    ({"training.baseline.lookbak": 3}, ["parameter training.baseline.lookbak", "--params"]),
    ({"fetching.recent_day": 3}, ["parameter fetching.recent_day", "--params"]),
    ({"history_days": "many"}, ["parameter history_days", "integer"]),
    ({"training.baseline.lookback": "long"}, ["parameter training.baseline.lookback", "integer"]),
    ({"preprocessing.test_fraction": 0.9}, ["parameter preprocessing.test_fraction", "0.5"]),
    ({"gate.p_value": 1.5}, ["parameter gate.p_value", "less than 1"]),
    ({"walk_forward.folds": 0}, ["parameter walk_forward.folds"]),
    ({"exporting.keep_versions": -1}, ["parameter exporting.keep_versions"]),
    ({"exchange_url": "binance"}, ["parameter exchange_url", "https?://"]),
    ({"architectures": "transformer"}, ["parameter architectures", "'transformer'", "choose from baseline, "]),
]


@pytest.mark.parametrize(("parameters", "words"), REFUSED, ids=[next(iter(row[0])) for row in REFUSED])
def test_a_wrong_parameter_is_named_by_its_full_path_before_any_node_runs(
    project: Any, served: Any, parameters: dict[str, Any], words: list[str]
) -> None:
    command = project.run(**parameters)
    line = command.error()
    assert all(word in line for word in words), line
    assert not command.nodes
    served.check()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pairs: [BTCUSDT]\n", ["'BTCUSDT' is not a pair", "btc_usdt"]),
        ("pairs: []\n", ["parameter pairs"]),
        ("pairs: btc_usdt\n", ["parameter pairs", "list"]),
        ("training: {baseline: {decays: [2.0]}}\n", ["parameter training.baseline.decays"]),
        ("training: [\n", ["parameters.yml"]),
    ],
)
def test_a_wrong_local_configuration_is_told_in_one_line(
    project: Any, served: Any, text: str, words: list[str]
) -> None:
    project.write_local(text)
    line = project.run().error()
    assert all(word in line for word in words), line
    (project.folder / "conf" / "local" / "parameters.yml").unlink()
    served.check()


def test_an_unknown_pipeline_is_told_with_the_ones_there_are(project: Any, served: Any) -> None:
    line = project.run(pipeline="doge_usdt").error()
    assert "doge_usdt" in line
    assert "btc_usdt, eth_usdt, chz_usdt" in line
    served.check()


def test_an_unknown_environment_is_told_with_the_ones_there_are(project: Any, served: Any) -> None:
    line = project.run("--env=staging").error()
    assert "staging" in line
    assert "production" in line
    served.check()


def test_an_unknown_tag_is_told(project: Any, served: Any) -> None:
    line = project.run("--tags=fetchin").error()
    assert "fetchin: no stage has this tag" in line
    assert "choose from converting, evaluating, exporting, fetching, preprocessing, training" in line
    served.check()
