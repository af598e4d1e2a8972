"""The flow of fetching."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.fetching.nodes import check_klines, fetch_missing


def create_pipeline() -> Pipeline:
    """From the exchange to clean candles and a data report."""
    return Pipeline(
        [
            Node(
                fetch_missing,
                inputs=["exchange_klines", "stored_klines", "params:history_days", "run", "params:fetching"],
                outputs=["raw_klines", "fetch_info"],
                name="fetch_missing",
            ),
            Node(
                check_klines,
                inputs=["raw_klines", "fetch_info", "run", "params:fetching"],
                outputs=["klines", "data_report"],
                name="check_klines",
            ),
        ],
        tags=["fetching"],
    )
