"""No secret leaves."""

import pytest

from make_us_rich.alerts.masking import mask

SECRET = "hunter22hunter"


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://app:{SECRET}@db/accounts does not answer",
        f"GET http://api/predict?currency=btc&token={SECRET} failed",
        f"https://bucket.s3/x?X-Amz-Signature={SECRET}&X-Amz-Credential={SECRET}",
        f"posting to https://discord.com/api/webhooks/123/{SECRET} failed",
        f"posting to https://discordapp.com/api/webhooks/123/{SECRET}",
        f"https://hooks.slack.com/services/T0/B0/{SECRET}",
        f"https://api.telegram.org/bot{SECRET}/sendMessage",
        f"discord://123/{SECRET}/",
        f"Authorization: Bearer {SECRET}",
    ],
)
def test_credentials_in_addresses_are_masked(text: str) -> None:
    assert SECRET not in mask(text, {})
    assert "***" in mask(text, {})


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "MAKE_US_RICH_ALERT_URLS", "POSTGRES_PASSWORD", "API_TOKEN"])
def test_values_of_secret_variables_are_masked_wherever_they_stand(name: str) -> None:
    assert mask(f"refused: {SECRET}!", {name: SECRET}) == "refused: ***!"


def test_each_of_several_addresses_is_masked() -> None:
    assert mask("to first-one and second-one", {"MAKE_US_RICH_ALERT_URLS": "first-one, second-one"}) == "to *** and ***"


@pytest.mark.parametrize(
    "text",
    [
        "btc_usdt: the newest candle closed at 2025-03-01 10:00 UTC",
        "http://127.0.0.1:8000/readyz does not answer",
        "see https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=1h",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask(text, {"HOME": "binance", "LANG": "C", "SHORT_TOKEN": "at"}) == text
