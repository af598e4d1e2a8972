"""What benchmarks keep of what they found, and tell when it has become worse."""

import json
from pathlib import Path

import pytest

from benchmarks.history import keep, worse

BEFORE = [{"time": 1.0, "speed": 0.8}, {"time": 1.2, "speed": 1.0}, {"time": 1.1, "speed": 0.9}]


@pytest.mark.parametrize(
    ("ratios", "told"),
    [
        ({"time": 1.3, "speed": 0.75}, []),
        ({"time": 1.4}, ["time is 1.4, was 1.1"]),
        ({"speed": 0.7}, ["speed is 0.7, was 0.9"]),
        ({"new": 5.0}, []),
    ],
)
def test_a_figure_is_told_when_it_is_a_quarter_worse_than_the_median(ratios: dict[str, float], told: list[str]) -> None:
    assert worse(BEFORE, ratios, ["speed"]) == told


def test_only_figures_of_the_same_size_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = tmp_path / "history.jsonl"
    keep("pairs", {"time": 1.0}, {"pairs": 10}, history=history)
    keep("pairs", {"time": 9.0}, {"pairs": 40}, history=history)
    assert capsys.readouterr().out == ""

    keep("pairs", {"time": 9.0}, {"pairs": 10}, history=history)
    assert capsys.readouterr().out == "SLOWER: time is 9.0, was 1.0 (benchmarks/history.jsonl)\n"
    assert [json.loads(line)["pairs"] for line in history.read_text().splitlines()] == [10, 40, 10]
