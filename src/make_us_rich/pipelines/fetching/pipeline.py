"""The flow of fetching."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.fetching.nodes import check_klines, fetch_missing


def create_pipeline() -> Pipeline:
    """From the exchange to clean candles and a data report."""
    requested = ["exchange_klines", "stored_klines", "params:history_days", "run", "params:fetching"]
    checked = ["raw_klines", "fetch_info", "run", "params:fetching"]
    steps = [
        Node(fetch_missing, requested, ["raw_klines", "fetch_info"], name="fetch_missing"),
        Node(check_klines, checked, ["klines", "data_report"], name="check_klines"),
    ]
    return Pipeline(steps, tags=["fetching"])
