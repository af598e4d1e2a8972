from pathlib import Path

import pandas as pd
import pytest

from make_us_rich import champions
from make_us_rich.champions import history, roll_back, tabulate
from make_us_rich.datasets.files import ParquetDataset
from make_us_rich.domain.errors import ArtifactError, UnknownPairError
from synthetic import lay_out, pointer_of, store

FIRST, SECOND, THIRD = (f"2025-01-0{day}T00.05.00.000Z" for day in (1, 2, 3))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a project of its own, in which two versions of btc_usdt were published."""
    lay_out(tmp_path)
    store(tmp_path, FIRST)
    store(tmp_path, SECOND)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    monkeypatch.setattr(champions, "find_spec", lambda _: None)  # MLflow creates its tables in seconds.
    return tmp_path


def served(project: Path) -> str | None:
    return pointer_of(project).load().version


def test_the_history_of_a_pair_has_what_can_be_gone_back_to(project: Path) -> None:
    roll_back("btc_usdt")
    head, *lines = history("btc_usdt").splitlines()

    assert head.split("  ")[0] == "since (UTC)"
    assert [line.split()[2] for line in lines] == [FIRST, SECOND, FIRST]
    assert f"rolled back from {SECOND}" in lines[0]
    assert history("eth_usdt") == "eth_usdt: nothing yet"
    with pytest.raises(UnknownPairError, match="doge_usdt: not among the configured pairs"):
        history("doge_usdt")


def test_a_rollback_serves_the_champion_before_and_a_second_one_undoes_it(project: Path) -> None:
    assert roll_back("btc_usdt").startswith(f"btc_usdt: now serving {FIRST}, rolled back from {SECOND}")
    assert served(project) == FIRST
    roll_back("btc_usdt")
    assert served(project) == SECOND


def test_a_version_that_its_verdict_forbids_is_refused(project: Path) -> None:
    store(project, THIRD, publish=False)
    match = f"btc_usdt {THIRD} may not be served: data not whole: 3 candles missing; choose another version"
    with pytest.raises(ArtifactError, match=match):
        roll_back("btc_usdt", THIRD)
    assert served(project) == SECOND


def test_the_table_has_a_line_for_every_pair(project: Path) -> None:
    head, _, *lines = (line.split() for line in tabulate().split("\n\n")[0].splitlines())

    assert head[0] == "pair"
    assert [line[0] for line in lines] == ["btc_usdt", "eth_usdt", "chz_usdt"]
    assert lines[0][:3] == ["btc_usdt", "720", "2017-08-17"]
    assert lines[0][5:] == ["baseline", "-", "-", "+0.0", "%", "-", SECOND], "a dash in place of an unknown score"
    assert lines[-1][-2:] == ["nothing", "yet"]


def test_the_verdicts_of_the_newest_run_and_the_next_commands_follow(project: Path) -> None:
    rows = {
        "version": [FIRST, SECOND, SECOND],
        "architecture": ["har", "har", "lstm"],
        "reason": ["mean CRPS 3 % below", "refused: p = 0.2", "refused: 5 of 8 folds won"],
    }
    file = project / "data/08_reporting/btc_usdt/verdicts.parquet"
    ParquetDataset(filepath=str(file)).save(pd.DataFrame(rows))
    (project / "conf/demo").mkdir()
    _, verdicts, commands = tabulate("demo").split("\n\n")

    assert verdicts.splitlines() == [
        "The gate's latest verdicts:",
        "btc_usdt  har   refused: p = 0.2",
        "btc_usdt  lstm  refused: 5 of 8 folds won",
    ]
    assert "kedro rollback <pair> --env=demo" in commands
