import pytest

from make_us_rich.candles.frame import to_klines
from make_us_rich.candles.same_market import refuse_other_market
from make_us_rich.domain.errors import DataError

MARCH = 1_740_787_200_000  # 2025-03-01 00:00 UTC


def candles(closes):
    rows = [
        [MARCH + 3_600_000 * hour, close, close, close, close, 1, MARCH + 3_600_000 * (hour + 1) - 1, 1, 1, 1, 1, 0]
        for hour, close in enumerate(closes)
    ]
    return to_klines(rows, "BTCUSDT")


def test_another_market_is_refused_with_both_closes():
    with pytest.raises(DataError, match=r"candle of 2025-03-01 01:00 UTC .* 20, .* says 30: .*exchange_url"):
        refuse_other_market(candles([10, 20]), candles([10, 30]), "btc_usdt")


def test_small_correction_passes():
    refuse_other_market(candles([10, 20]), candles([10, 20.01]), "btc_usdt")


def test_candles_that_were_unusable_may_change():
    stored = candles([10, 20])
    stored.loc[1, "high"] = -1.0
    refuse_other_market(stored, candles([10, 30]), "btc_usdt")


def test_nothing_fetched_again_passes():
    refuse_other_market(candles([10]), candles([]), "btc_usdt")
