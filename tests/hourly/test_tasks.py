from collections.abc import Callable
from datetime import datetime

from make_us_rich.hourly.runs import Run
from make_us_rich.hourly.tasks import Task, is_due, tasks_of

MakeRun = Callable[..., Run]
PAIRS = ["btc_usdt", "eth_usdt", "chz_usdt"]


def names(tasks: list[Task]) -> list[str]:
    return [task.pipeline for task in tasks if not task.pipeline.startswith("monitor_")]


def test_without_a_record_the_order_is_that_of_the_configuration(noon: datetime) -> None:
    assert names(tasks_of(PAIRS, noon, {pair: [] for pair in PAIRS})) == PAIRS


def test_what_has_waited_longest_comes_first(make_run: MakeRun, noon: datetime) -> None:
    runs = {pair: [make_run(hours, pair=pair, pipeline=pair)] for pair, hours in zip(PAIRS, (-1, -3, -2), strict=True)}

    assert names(tasks_of(PAIRS, noon, runs)) == ["eth_usdt", "chz_usdt", "btc_usdt"]


def test_forecasts_come_before_models(make_run: MakeRun, noon: datetime) -> None:
    runs = {pair: [make_run(-1, pair=pair, pipeline=pair)] for pair in PAIRS}

    pipelines = [task.pipeline for task in tasks_of(PAIRS, noon, runs)]

    assert pipelines == [*(f"monitor_{pair}" for pair in PAIRS), *PAIRS]


def test_a_pair_that_has_no_model_yet_is_trained_before_its_forecast_and_delays_no_other(
    make_run: MakeRun, noon: datetime
) -> None:
    runs = {"btc_usdt": [make_run(-1, pair="btc_usdt", pipeline="btc_usdt")], "eth_usdt": []}

    pipelines = [task.pipeline for task in tasks_of(runs, noon, runs)]

    assert pipelines == ["monitor_btc_usdt", "eth_usdt", "monitor_eth_usdt", "btc_usdt"]


def test_what_has_succeeded_for_its_hour_is_not_due(make_run: MakeRun, noon: datetime) -> None:
    task = Task("btc_usdt", "{pair}", noon)

    assert is_due(task, [make_run(-1)], tries=3)
    assert not is_due(task, [make_run(-1), make_run(0)], tries=3)


def test_what_has_failed_is_due_until_it_was_tried_often_enough(make_run: MakeRun, noon: datetime) -> None:
    task = Task("btc_usdt", "{pair}", noon)

    assert is_due(task, [make_run(ok=False)] * 2, tries=3)
    assert not is_due(task, [make_run(ok=False)] * 3, tries=3)
