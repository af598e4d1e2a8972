import json
from pathlib import Path

import pandas as pd
import pytest

from make_us_rich.champions import history, roll_back, tabulate
from make_us_rich.datasets.atomic import ParquetDataset
from make_us_rich.domain.errors import ArtifactError, LockedError, UnknownPairError
from make_us_rich.locks import pair_lock
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
    return tmp_path


@pytest.fixture
def judged(project: Path) -> Path:
    """Two runs were judged; the newest had two challengers."""
    rows = pd.DataFrame(
        {
            "version": [FIRST, SECOND, SECOND],
            "architecture": ["har", "har", "lstm"],
            "reason": ["mean CRPS 3 % below", "refused: p = 0.2", "refused: 5 of 8 folds won"],
        }
    )
    ParquetDataset(filepath=str(project / "data/08_reporting/btc_usdt/verdicts.parquet")).save(rows)
    return project


def served(project: Path) -> str | None:
    return pointer_of(project).load().version


def test_a_rollback_serves_the_champion_before(project: Path) -> None:
    assert roll_back("btc_usdt") == f"btc_usdt: now serving {FIRST}, rolled back from {SECOND}"
    assert served(project) == FIRST


def test_a_rollback_is_itself_kept_with_its_reason(project: Path) -> None:
    roll_back("btc_usdt")

    promotions = pointer_of(project).load().promotions
    assert [promotion.version for promotion in promotions] == [FIRST, SECOND, FIRST]
    assert promotions[-1].reason == f"rolled back from {SECOND}"


def test_a_named_version_is_served(project: Path) -> None:
    store(project, THIRD)
    roll_back("btc_usdt", FIRST)

    assert served(project) == FIRST


def test_the_history_of_a_pair_has_what_can_be_gone_back_to(project: Path) -> None:
    roll_back("btc_usdt")
    head, *lines = history("btc_usdt").splitlines()

    assert head.split("  ")[0] == "since (UTC)"
    assert [line.split()[2] for line in lines] == [FIRST, SECOND, FIRST]
    assert lines[0].endswith(f"rolled back from {SECOND}")
    assert history("eth_usdt") == "eth_usdt: nothing yet"
    with pytest.raises(UnknownPairError, match="doge_usdt: not among the configured pairs"):
        history("doge_usdt")


def test_rolling_back_twice_undoes_it(project: Path) -> None:
    roll_back("btc_usdt")
    roll_back("btc_usdt")

    assert served(project) == SECOND


def test_rolling_back_to_what_is_served_changes_nothing(project: Path) -> None:
    before = pointer_of(project).load()

    assert roll_back("btc_usdt", SECOND) == f"btc_usdt: already serving {SECOND}"
    assert pointer_of(project).load() == before


def test_a_version_that_is_not_stored_is_refused_and_the_champion_stays(project: Path) -> None:
    with pytest.raises(ArtifactError, match=r"btc_usdt.manifest v9: it is not stored; roll back to another version"):
        roll_back("btc_usdt", "v9")
    assert served(project) == SECOND


def test_a_damaged_version_is_refused_and_the_champion_stays(project: Path) -> None:
    file = project / f"data/06_models/btc_usdt/model.onnx/{FIRST}/model.onnx"
    file.write_bytes(file.read_bytes()[:-1])

    with pytest.raises(ArtifactError, match="its checksum is not the one in its manifest"):
        roll_back("btc_usdt")
    assert served(project) == SECOND


def test_a_version_that_its_verdict_forbids_is_refused(project: Path) -> None:
    store(project, THIRD, publish=False)
    match = f"btc_usdt {THIRD}: may not be served, data not whole: 3 candles missing; name another version"
    with pytest.raises(ArtifactError, match=match):
        roll_back("btc_usdt", THIRD)
    assert served(project) == SECOND


def test_there_must_be_an_earlier_champion(project: Path) -> None:
    match = "eth_usdt: there is no earlier champion to go back to; name a version with --to"
    with pytest.raises(ArtifactError, match=match):
        roll_back("eth_usdt")


def test_a_pair_that_is_not_configured_is_refused_with_those_that_are(project: Path) -> None:
    with pytest.raises(UnknownPairError, match="doge_usdt: not among the configured pairs: btc_usdt, eth_usdt"):
        roll_back("doge_usdt")


def test_a_misspelt_pair_is_refused(project: Path) -> None:
    with pytest.raises(UnknownPairError, match="'BTCUSDT' is not a pair"):
        roll_back("BTCUSDT")


def test_a_rollback_waits_for_no_run_but_refuses(project: Path) -> None:
    with (
        pair_lock(str(project / "data"), "btc_usdt"),
        pytest.raises(LockedError, match=r"btc_usdt: another run .* holds it; wait for it to end"),
    ):
        roll_back("btc_usdt")
    assert served(project) == SECOND


def rows_of(table: str) -> list[str]:
    return table.split("\n\n")[0].splitlines()


def test_the_table_has_a_line_for_every_pair(project: Path) -> None:
    lines = rows_of(tabulate())

    assert lines[0].split()[0] == "pair"
    assert [line.split()[0] for line in lines[2:]] == ["btc_usdt", "eth_usdt", "chz_usdt"]


def test_a_pair_without_a_champion_says_so(project: Path) -> None:
    assert rows_of(tabulate())[-1].endswith("nothing yet")


def test_a_champions_line_names_its_candles_and_version(project: Path) -> None:
    champion = rows_of(tabulate())[2].split()

    assert champion[:3] == ["btc_usdt", "720", "2017-08-17"]
    assert champion[-1] == SECOND


def test_a_champion_without_scores_is_shown_all_the_same(project: Path) -> None:
    for version in (FIRST, SECOND):
        file = project / f"data/06_models/btc_usdt/manifest.json/{version}/manifest.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"metrics": {}}))

    assert rows_of(tabulate())[2].split()[-5:-1] == ["-"] * 4


def test_the_verdicts_of_the_newest_run_are_told_in_words(judged: Path) -> None:
    lines = tabulate().splitlines()
    at = lines.index("What the newest run of each pair found:")

    assert lines[at + 1 : at + 4] == [
        "btc_usdt  har   refused: p = 0.2",
        "btc_usdt  lstm  refused: 5 of 8 folds won",
        "",
    ]


def test_the_next_commands_name_the_environment(project: Path) -> None:
    (project / "conf/demo").mkdir()

    assert "kedro rollback <pair> --env=demo" in tabulate("demo")
