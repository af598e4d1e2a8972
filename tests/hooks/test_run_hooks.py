"""Locks, exchange and context of a run."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from make_us_rich.domain.errors import LockedError
from make_us_rich.hooks.run import RunHooks
from make_us_rich.locks import pair_lock
from make_us_rich.project_parameters import configure_pairs
from make_us_rich.replay import ReplayServer, SimulatedMarket
from synthetic import configured_parameters

CONFIGURED = configured_parameters()


class Loader(dict[str, Any]):
    """What the hooks read of a configuration loader."""

    def __init__(self, replay: Any = None, url: str = "http://127.0.0.1:9", **runtime: Any) -> None:
        parameters = CONFIGURED | {"pairs": ["btc_usdt", "eth_usdt"]}
        super().__init__(parameters=parameters, globals={"root": "data", "replay": replay, "exchange_url": url})
        self.runtime_params = runtime


class Session:
    """Kedro's calls of the hooks around a run, in a project whose store is its folder ``data``."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.hooks, self.manager = folder, RunHooks(), _create_hook_manager()
        self.manager.register(self.hooks)
        self.hook = self.manager.hook

    def create(self, loader: Loader) -> None:
        context: Any = SimpleNamespace(config_loader=loader, project_path=self.folder)
        self.hook.after_context_created(context=context)

    def begin(self, *pairs: str) -> None:
        flow = Pipeline([Node(lambda x: x, "features", "model", name="fit")])
        pipeline = sum((Pipeline(flow, namespace=f"{pair}.training") for pair in pairs), Pipeline([]))
        run_params = {"runner": "SequentialRunner"}
        self.hook.before_pipeline_run(run_params=run_params, pipeline=pipeline, catalog=DataCatalog())

    def end(self) -> None:
        self.hook.after_pipeline_run(run_params={}, run_result={}, pipeline=None, catalog=None)

    def fail(self) -> None:
        self.hook.on_pipeline_error(error=ValueError(), run_params={}, pipeline=None, catalog=None)

    def holds(self, pair: str) -> bool:
        try:
            with pair_lock(str(self.folder / "data"), pair):
                return False
        except LockedError:
            return True


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    made = Session(tmp_path)
    made.create(Loader())
    yield made
    made.fail()
    configure_pairs(CONFIGURED["pairs"])


def test_a_run_that_is_refused_one_pair_holds_none(session: Session, tmp_path: Path) -> None:
    with pair_lock(str(tmp_path / "data"), "eth_usdt"), pytest.raises(LockedError, match="eth_usdt: another run"):
        session.begin("btc_usdt", "eth_usdt")

    assert not session.holds("btc_usdt")


def test_nothing_of_a_pair_is_saved_after_its_lease_was_lost(session: Session) -> None:
    class Lost:
        def check(self) -> None:
            raise LockedError("btc_usdt: the lease was lost")

    session.begin("btc_usdt")
    session.hooks._locks["btc_usdt"] = Lost()

    session.hooks.before_dataset_saved("parameters")
    for name in ("champion", "live_record"):
        with pytest.raises(LockedError, match="the lease was lost"):
            session.hooks.before_dataset_saved(f"btc_usdt.{name}")


def test_a_pair_is_released_where_another_hook_fails_at_the_end(session: Session) -> None:
    session.begin("btc_usdt")
    session.manager.register(Failing())

    with pytest.raises(OSError, match="MLflow is down"):
        session.end()

    assert not session.holds("btc_usdt")


def test_no_exchange_is_started_where_one_answers_or_is_given(session: Session) -> None:
    with ReplayServer(SimulatedMarket(seed=1)) as running:
        loaders = [Loader({"seed": 42}, running.url), Loader({"seed": 42}, exchange_url="http://elsewhere"), Loader()]
        for loader in loaders:
            session.create(loader)
    assert [loader.runtime_params for loader in loaders] == [{}, {"exchange_url": "http://elsewhere"}, {}]


class Statistics:
    """Kedro-Viz's hook: it replaces the file with what its own process has seen."""

    def __init__(self, file: Path) -> None:
        self.file, self.seen = file, ""

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Write the statistics."""
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text(self.seen)


class Failing:
    """A hook of another plugin."""

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Fail."""
        raise OSError("MLflow is down")


BTC, ETH = {"btc_usdt.klines": {"rows": 1}}, {"eth_usdt.klines": {"rows": 2}}


@pytest.mark.parametrize(
    ("seen", "left"),
    [([json.dumps(BTC), json.dumps(ETH), "{}"], BTC | ETH), (['{"btc_us', json.dumps(ETH)], ETH)],
    ids=["other pairs", "damaged"],
)
def test_kedro_viz_keeps_the_statistics_of_other_pairs(session: Session, seen: list[str], left: dict[str, Any]) -> None:
    written = Statistics(session.folder / ".viz" / "stats.json")
    session.manager.register(written)
    for written.seen in seen:
        session.end()

    assert json.loads(written.file.read_text()) == left
