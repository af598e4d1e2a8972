import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DatabaseError

from make_us_rich import cli, tracking
from make_us_rich.__main__ import main
from make_us_rich.domain.errors import UnknownPairError
from make_us_rich.runners.pair_run import is_filtered, own_pipelines
from make_us_rich.storage import explain
from synthetic import lay_out


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    return tmp_path


@pytest.fixture
def called(project: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The options of Kedro's own run, which does nothing."""
    options: dict[str, Any] = {}
    monkeypatch.setattr(cli.kedro_run, "callback", lambda **given: options.update(given))
    return options


def output(*arguments: str) -> str:
    result = CliRunner().invoke(cli.cli, arguments)
    assert result.exit_code == 0, result.exception
    return result.output


def error(*arguments: str) -> str:
    result = CliRunner().invoke(cli.cli, arguments)
    assert result.exception is not None
    return str(explain(result.exception))


def test_an_error_that_the_user_can_fix_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    sys.excepthook(UnknownPairError, UnknownPairError("'BTC' is not a pair", "write base and quote"), None)
    assert capsys.readouterr().err == "Error: 'BTC' is not a pair; write base and quote\n"

    sys.excepthook(ZeroDivisionError, ZeroDivisionError("division by zero"), None)
    assert capsys.readouterr().err == "ZeroDivisionError: division by zero\n", "a fault of the program, with traceback"


def test_a_damaged_mlflow_database_is_named(tmp_path: Path) -> None:
    database = tmp_path / "runs.db"
    database.write_bytes(b"no database" * 100)
    with pytest.raises(DatabaseError) as raised, create_engine(f"sqlite:///{database}").connect() as connection:
        connection.execute(text("SELECT name FROM sqlite_master"))

    assert str(explain(raised.value)).startswith("MLflow cannot record the run ((sqlite3.DatabaseError) file is not a")


def test_an_environment_that_is_not_there_is_refused(called: dict[str, Any]) -> None:
    assert error("run", "--env=prod").startswith("no environment 'prod'")
    assert called == {}


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("--async", "--async is not supported: MLflow's run belongs to one thread"),
        ("--runner-params=is_async=True", "--async is not supported"),
        ("--runner=ThreadRunner", "--runner=ThreadRunner is not supported"),
        ("--runner=nobody.knows.It", "--runner=nobody.knows.It: there is no such runner"),
    ],
)
def test_a_runner_that_cannot_run_the_pipelines_is_refused_with_a_remedy(project: Path, option: str, line: str) -> None:
    refused = error("run", "--pipelines=btc_usdt", option)

    assert refused.startswith(line)
    assert refused.endswith("--pipeline=all runs pairs side by side")


@pytest.mark.parametrize(
    ("option", "names", "runner"),
    [
        ("--pipelines=btc_usdt", ["btc_usdt"], None),
        ("--pipeline=btc_usdt", ["btc_usdt"], None),
        ("--pipeline=all", ["all"], cli.PARALLEL_PAIRS),
        ("--pipelines=btc_usdt,eth_usdt", ["btc_usdt", "eth_usdt"], cli.PARALLEL_PAIRS),
        ("--env=base", [], cli.PARALLEL_PAIRS),
        ("--runner=ParallelRunner", [], cli.PARALLEL_PAIRS),
        ("--runner=SequentialRunner", [], "SequentialRunner"),
    ],
)
def test_several_pairs_run_in_processes_of_their_own_and_pipeline_is_a_spelling_of_pipelines(
    called: dict[str, Any], option: str, names: list[str], runner: str | None
) -> None:
    output("run", option)

    assert (called["pipelines"], called["pipeline"], called["runner"]) == (names, None, runner)


def test_parallel_runners_parameters_are_refused_with_the_one_that_counts(project: Path) -> None:
    refused = error("run", "--runner=ParallelRunner", "--runner-params=max_workers=4")
    assert refused.startswith("--runner-params=max_workers is not supported; set running.workers to the number")


def test_a_bare_installation_says_in_two_lines_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kedro", None)

    with pytest.raises(SystemExit) as ended:
        main()
    ask, train = str(ended.value).splitlines()
    assert 'pip install "make-us-rich[client]"' in ask
    assert "make demo" in train


def test_mlflow_ui_prints_the_address_of_the_runs_and_shows_those_of_a_file(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(cli.os, "execv", lambda _, command: started.append(command))
    monkeypatch.setattr(tracking, "runs_page", lambda _, server: f"{server}/#/experiments/1/runs")

    assert output("mlflow", "ui", "--port=5001") == "The runs: http://127.0.0.1:5001/#/experiments/1/runs\n"
    ((*_, uri, _, _, _, port, _),) = started
    assert (uri, port) == (f"sqlite:///{project}/data/mlflow.db", "5001")


@pytest.mark.parametrize(
    ("asked", "own"),
    [
        (["all"], ("btc_usdt",)),
        (["__default__"], ("btc_usdt",)),
        (None, ("btc_usdt",)),
        (["tune_all"], ("tune_btc_usdt",)),
        (["btc_usdt", "eth_usdt"], ("btc_usdt",)),
        (["tune_btc_usdt", "all"], ("tune_btc_usdt", "btc_usdt")),
        (["wbtc_usdt", "ball_usdt", "small"], ()),
    ],
)
def test_a_pairs_share_of_the_pipelines_that_were_asked_for(asked: list[str] | None, own: tuple[str, ...]) -> None:
    assert own_pipelines(asked, "btc_usdt") == own


def test_an_option_that_chooses_nodes_filters_a_run() -> None:
    for option in ("tags", "node_names", "from_nodes", "to_outputs", "namespaces"):
        assert is_filtered({option: ("training",)})
        assert not is_filtered({option: ()})
