import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from make_us_rich import pairs
from make_us_rich.domain.errors import LockedError, ParameterError, StorageError, UnknownPairError
from make_us_rich.domain.pair import Pair
from make_us_rich.hooks.run_checks import RunChecksHooks, git_revision, pairs_of
from make_us_rich.locks import pair_lock
from make_us_rich.project_parameters import check_parameters
from make_us_rich.runners import ProcessesRunner

REPO = Path(__file__).resolve().parents[2]
CONFIGURED: dict[str, Any] = {"exchange_url": "https://api.binance.com", "exchange_weight": 4800}
OWN_RUN = {"runner": "SequentialRunner"}
for path in (REPO / "conf/base").glob("parameters*.yml"):
    CONFIGURED = yaml.safe_load(path.read_text()) | CONFIGURED


def changed(path: str, value: Any) -> dict[str, Any]:
    """The configured parameters with another value at a path such as ``training.seed``."""
    parameters = copy.deepcopy(CONFIGURED)
    *folders, last = path.split(".")
    level = parameters
    for folder in folders:
        level = level[folder]
    level[last] = value
    return parameters


def pipeline_of(*names: str) -> Pipeline:
    flow = Pipeline([Node(lambda x: x, "features", "model", name="fit")])
    return sum((Pipeline(flow, namespace=name) for name in names), Pipeline([]))


@pytest.fixture
def hooks(tmp_path: Path) -> RunChecksHooks:
    """The hooks of a project in ``tmp_path`` whose store is its folder ``data``."""
    made = RunChecksHooks()
    loader = {"parameters": changed("pairs", ["btc_usdt", "eth_usdt"]), "globals": {"root": "data"}}
    context: Any = SimpleNamespace(config_loader=loader, project_path=tmp_path)
    made.after_context_created(context)
    yield made
    made.on_pipeline_error()
    pairs.configure(CONFIGURED["pairs"])


def is_held(tmp_path: Path, pair: str) -> bool:
    try:
        with pair_lock(str(tmp_path / "data"), pair):
            return False
    except LockedError:
        return True


def test_the_configured_parameters_pass() -> None:
    assert check_parameters(CONFIGURED).pairs == CONFIGURED["pairs"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("historydays", 3),
        ("history_days", "many"),
        ("history_days", 0),
        ("pairs", "btc_usdt"),
        ("pairs", []),
        ("exchange_url", "api.binance.com"),
        ("architectures", ["baseline"]),
        ("fetching.frozen_hour", 3),
        ("preprocessing.test_fraction", 0.9),
        ("training.seed", "abc"),
        ("training.lstm_levels.hiden_size", 3),
        ("training.lstm_levels.dropout", 1.0),
        ("converting.rtol", -1),
        ("exporting.keep_versions", 0),
    ],
)
def test_a_wrong_parameter_is_refused_by_its_full_path_with_a_remedy(path: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=rf"^parameter {path}: .*; correct it in conf/ or in --params$"):
        check_parameters(changed(path, value))


def test_a_missing_parameter_is_named() -> None:
    shortened = {name: value for name, value in CONFIGURED.items() if name != "history_days"}

    with pytest.raises(ParameterError, match="parameter history_days: Field required"):
        check_parameters(shortened)


def test_a_misspelt_pair_is_refused_with_an_example() -> None:
    with pytest.raises(UnknownPairError, match="'btcusdt' is not a pair; write base and quote as in 'btc_usdt'"):
        check_parameters(changed("pairs", ["eth_usdt", "btcusdt"]))


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(ParameterError, match="parameter architectures: 'gru' is unknown; choose from baseline"):
        check_parameters(changed("architectures", "baseline+gru"))


def test_the_context_tells_the_registry_the_sessions_pairs(hooks: RunChecksHooks) -> None:
    assert [pair.name for pair in pairs.configured()] == ["btc_usdt", "eth_usdt"]


def test_a_wrong_parameter_stops_the_session_before_there_is_a_pipeline(tmp_path: Path) -> None:
    loader = {"parameters": changed("historydays", 3), "globals": {"root": "data"}}
    context: Any = SimpleNamespace(config_loader=loader, project_path=tmp_path)

    with pytest.raises(ParameterError, match="parameter historydays: there is no such parameter"):
        RunChecksHooks().after_context_created(context)


def test_each_pairs_nodes_know_their_run(hooks: RunChecksHooks) -> None:
    catalog = DataCatalog()

    hooks.after_catalog_created(catalog, {"storage": {}}, "v1")

    runs = [catalog.load(f"{pair}.run") for pair in ("btc_usdt", "eth_usdt")]
    assert [(run.pair.name, run.version) for run in runs] == [("btc_usdt", "v1"), ("eth_usdt", "v1")]
    assert runs[0].started_at == runs[1].started_at
    assert runs[0].started_at.utcoffset().total_seconds() == 0


def test_the_pairs_of_a_run_are_held_while_it_lasts(hooks: RunChecksHooks, tmp_path: Path) -> None:
    hooks.before_pipeline_run(OWN_RUN, pipeline_of("btc_usdt.training"))

    assert is_held(tmp_path, "btc_usdt")
    assert not is_held(tmp_path, "eth_usdt")


def test_the_pairs_are_let_go_after_the_run(hooks: RunChecksHooks, tmp_path: Path) -> None:
    hooks.before_pipeline_run(OWN_RUN, pipeline_of("btc_usdt.training"))
    hooks.after_pipeline_run()

    assert not is_held(tmp_path, "btc_usdt")


def test_the_pairs_are_let_go_after_an_error(hooks: RunChecksHooks, tmp_path: Path) -> None:
    hooks.before_pipeline_run(OWN_RUN, pipeline_of("btc_usdt.training", "eth_usdt.training"))
    hooks.on_pipeline_error()

    assert not is_held(tmp_path, "btc_usdt")
    assert not is_held(tmp_path, "eth_usdt")


def test_a_run_that_gives_each_pair_a_run_of_its_own_holds_none(hooks: RunChecksHooks, tmp_path: Path) -> None:
    hooks.before_pipeline_run({"runner": str(ProcessesRunner())}, pipeline_of("btc_usdt.training"))

    assert not is_held(tmp_path, "btc_usdt")


def test_a_second_run_for_a_pair_is_refused(hooks: RunChecksHooks, tmp_path: Path) -> None:
    with (
        pair_lock(str(tmp_path / "data"), "btc_usdt"),
        pytest.raises(LockedError, match=r"btc_usdt: another run \(process \d+, since .*\) holds it; wait for it"),
    ):
        hooks.before_pipeline_run(OWN_RUN, pipeline_of("btc_usdt.training"))


def test_a_run_that_is_refused_one_pair_holds_none_of_the_others(hooks: RunChecksHooks, tmp_path: Path) -> None:
    with pair_lock(str(tmp_path / "data"), "eth_usdt"), pytest.raises(LockedError, match="eth_usdt: another run"):
        hooks.before_pipeline_run(OWN_RUN, pipeline_of("btc_usdt.training", "eth_usdt.training"))

    assert not is_held(tmp_path, "btc_usdt")


def test_the_same_hooks_serve_a_second_run(hooks: RunChecksHooks, tmp_path: Path) -> None:
    hooks.before_pipeline_run(OWN_RUN, pipeline_of("btc_usdt.training"))
    hooks.after_pipeline_run()
    hooks.before_pipeline_run(OWN_RUN, pipeline_of("btc_usdt.training"))

    assert is_held(tmp_path, "btc_usdt")


def test_a_store_that_cannot_be_used_stops_the_run(hooks: RunChecksHooks, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")

    with pytest.raises(StorageError, match="a file is where a folder should be; move that file away"):
        hooks.before_pipeline_run(OWN_RUN, pipeline_of("btc_usdt.training"))


@pytest.mark.parametrize("name", ["scaler", "onnx_model", "baseline_onnx", "manifest", "champion", "kept_versions"])
def test_nothing_is_published_once_the_pair_may_be_anothers(hooks: RunChecksHooks, name: str) -> None:
    class Lost:
        def check(self) -> None:
            raise LockedError("btc_usdt: the lease was lost")

    hooks.before_pipeline_run(OWN_RUN, pipeline_of("btc_usdt.training"))
    hooks._locks["btc_usdt"] = Lost()

    with pytest.raises(LockedError, match="the lease was lost"):
        hooks.before_dataset_saved(f"btc_usdt.{name}")
    hooks.before_dataset_saved("btc_usdt.klines")


def test_the_pairs_of_a_pipeline_are_those_of_its_namespaces() -> None:
    assert pairs_of(pipeline_of("eth_usdt.training", "btc_usdt.training", "btc_usdt.fetching")) == [
        Pair("btc", "usdt"),
        Pair("eth", "usdt"),
    ]


def test_outside_a_checkout_the_revision_is_unknown(tmp_path: Path) -> None:
    assert git_revision(tmp_path) == "unknown"


def test_without_git_the_revision_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert git_revision(REPO) == "unknown"
