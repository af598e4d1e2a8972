from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from kedro.io import DatasetError

from make_us_rich import cli
from make_us_rich.domain.errors import DataError, LockedError, ParameterError, UnknownPairError
from synthetic import lay_out, pointer_of, store

FIRST, SECOND = (f"2025-01-0{day}T00.05.00.000Z" for day in (1, 2))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    lay_out(tmp_path)
    store(tmp_path, FIRST)
    store(tmp_path, SECOND)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    return tmp_path


def kedro_ends_with(monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> dict[str, Any]:
    """Kedro's own run replaced; what it was called with."""
    called: dict[str, Any] = {}

    def run(**options: Any) -> None:
        called.update(options)
        if error is not None:
            raise error

    monkeypatch.setattr(cli, "_kedro_run", run)
    return called


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(cli.cli, list(arguments))


def test_an_error_of_ours_is_one_line(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kedro_ends_with(monkeypatch, DataError("btc_usdt: too few candles; raise history_days"))

    result = invoke("run", "--pipelines=btc_usdt")

    assert (result.exit_code, result.output) == (1, "Error: btc_usdt: too few candles; raise history_days\n")


def test_an_error_of_ours_inside_kedros_is_found(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = DatasetError("Failed while saving data to dataset")
    error.__cause__ = LockedError("btc_usdt: another run holds it; wait for it to end")
    kedro_ends_with(monkeypatch, error)

    result = invoke("run")

    assert result.output == "Error: btc_usdt: another run holds it; wait for it to end\n"


def test_a_fault_of_the_program_keeps_its_traceback(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kedro_ends_with(monkeypatch, ZeroDivisionError("division by zero"))

    result = invoke("run")

    assert isinstance(result.exception, ZeroDivisionError)


def test_the_cause_of_a_line_is_kept_for_whoever_debugs() -> None:
    @cli.in_one_line
    def fail() -> None:
        raise DataError("no candles; fetch some")

    with pytest.raises(click.ClickException) as caught:
        fail()

    assert isinstance(caught.value.__cause__, DataError)


def test_pipeline_is_a_spelling_of_pipelines(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called = kedro_ends_with(monkeypatch)

    assert invoke("run", "--pipeline=btc_usdt").exit_code == 0

    assert (called["pipelines"], called["pipeline"]) == (["btc_usdt"], None)


def test_an_environment_that_is_not_there_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called = kedro_ends_with(monkeypatch)

    result = invoke("run", "--env=prod")

    assert result.exit_code == 1
    assert "no environment 'prod'" in result.output
    assert called == {}


def test_a_pair_that_is_no_pipeline_is_refused_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    from make_us_rich import pairs

    monkeypatch.setattr(pairs, "_configured", [])
    pairs.configure(["btc_usdt", "eth_usdt"])

    with pytest.raises(UnknownPairError, match=r"doge_usdt: not among the configured pairs \(btc_usdt, eth_usdt\)"):
        cli.refuse_unknown(["btc_usdt", "doge_usdt"])


def test_a_selection_that_matches_nothing_is_refused_with_where_to_look() -> None:
    nothing = ValueError("Pipeline does not contain nodes named ['btc_usdt.train'].")

    with pytest.raises(ParameterError, match=r"\['btc_usdt.train'\]; kedro registry describe btc_usdt shows"):
        cli.refuse_empty_selection(nothing, ["btc_usdt"])


def test_another_error_of_a_value_is_no_selection() -> None:
    cli.refuse_empty_selection(ValueError("array must not contain infs or NaNs"), [])


def test_rollback_tells_what_is_served_now(project: Path) -> None:
    result = invoke("rollback", "btc_usdt")

    assert (result.exit_code, result.output) == (0, f"btc_usdt: now serving {FIRST}, rolled back from {SECOND}\n")


def test_rollback_goes_to_a_named_version(project: Path) -> None:
    assert invoke("rollback", "btc_usdt", "--to", FIRST).exit_code == 0
    assert pointer_of(project).load().version == FIRST


def test_a_rollback_that_is_refused_is_one_line(project: Path) -> None:
    result = invoke("rollback", "eth_usdt")

    assert result.exit_code == 1
    assert result.output == "Error: eth_usdt: there is no earlier champion to go back to; name a version with --to\n"


def test_champions_of_a_damaged_pointer_is_one_line(project: Path) -> None:
    (project / "data/06_models/btc_usdt/champion.json").write_text('{"pair": 3}')

    result = invoke("champions")

    assert result.exit_code == 1
    assert result.output.startswith("Error: btc_usdt: the champion pointer is damaged")
    assert len(result.output.splitlines()) == 1


def test_every_command_has_a_help_text() -> None:
    assert all((command.help or command.callback.__doc__) for command in cli.cli.commands.values())
