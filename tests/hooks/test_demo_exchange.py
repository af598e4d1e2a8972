import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from make_us_rich.hooks.demo_exchange import DemoExchangeHooks
from make_us_rich.replay import ReplayServer, SimulatedMarket, answers

NOBODY = "http://127.0.0.1:9"


class Loader(dict[str, Any]):
    """What the hook asks of a configuration loader."""

    def __init__(self, replay: dict[str, Any] | None, url: str = NOBODY, **runtime: Any) -> None:
        super().__init__(globals={"replay": replay, "exchange_url": url})
        self.runtime_params = runtime


@pytest.fixture
def hooks() -> Iterator[DemoExchangeHooks]:
    made = DemoExchangeHooks()
    yield made
    made.on_pipeline_error()


def start(hooks: DemoExchangeHooks, loader: Loader) -> str | None:
    """The address that the run will ask, or None where it is as configured."""

    class Context:
        config_loader = loader

    hooks.after_context_created(Context())  # type: ignore[arg-type]
    return loader.runtime_params.get("exchange_url")


def test_a_run_brings_its_own_exchange_where_none_answers(hooks: DemoExchangeHooks) -> None:
    url = start(hooks, Loader({"seed": 42}))

    assert url is not None
    with urllib.request.urlopen(f"{url}/api/v3/time") as answer:
        assert json.load(answer)["serverTime"] > 0


def test_an_exchange_that_answers_is_used(hooks: DemoExchangeHooks) -> None:
    with ReplayServer(SimulatedMarket(seed=1)) as running:
        assert start(hooks, Loader({"seed": 42}, running.url)) is None


def test_outside_the_demo_nothing_is_started(hooks: DemoExchangeHooks) -> None:
    assert start(hooks, Loader(None)) is None


def test_an_address_given_for_the_run_is_used(hooks: DemoExchangeHooks) -> None:
    assert start(hooks, Loader({"seed": 42}, exchange_url="http://elsewhere")) == "http://elsewhere"


@pytest.mark.parametrize("end", ["after_pipeline_run", "on_pipeline_error"])
def test_the_exchange_ends_with_the_run(hooks: DemoExchangeHooks, end: str) -> None:
    url = start(hooks, Loader({"seed": 42}))
    assert url is not None

    getattr(hooks, end)()

    assert not answers(url)
