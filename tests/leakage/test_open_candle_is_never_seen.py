"""The candle that is still open becomes no row of features."""

from datetime import timedelta

import pandas as pd
import pytest

from make_us_rich.domain.klines import HOUR
from make_us_rich.features.feature_set import FEATURE_SETS, compute_features
from make_us_rich.pipelines.fetching.nodes import check_klines
from make_us_rich.pipelines.fetching.parameters import FetchingParameters
from synthetic import RUN, simulated_klines

PARAMETERS = FetchingParameters(
    recent_days=2, max_missing_share=0.05, frozen_hours=3, enough_candles=10, fewest_candles=5
)


@pytest.mark.parametrize("name", sorted(FEATURE_SETS))
@pytest.mark.parametrize("open_for", [timedelta(0), timedelta(minutes=30), HOUR - timedelta(milliseconds=1)])
def test_features_are_those_without_the_open_candle(name: str, open_for: timedelta) -> None:
    sent = simulated_klines(rows=200)
    now = sent["timestamp"].iloc[-1] + open_for

    klines, _ = check_klines(sent, {"now": now.isoformat()}, RUN, PARAMETERS)

    features = compute_features(name, klines)
    assert (features.index + HOUR <= now).all()
    pd.testing.assert_frame_equal(features, compute_features(name, sent.iloc[:-1]), check_exact=True)
