import pytest

from make_us_rich.domain.errors import UnknownPairError
from make_us_rich.domain.pair import Pair


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("btc_usdt", "BTCUSDT"),
        ("w_usdt", "WUSDT"),
        ("1000sats_try", "1000SATSTRY"),
        ("币安人生_usdt", "币安人生USDT"),
        ("a-b_usdt", "A-BUSDT"),
    ],
)
def test_name_and_symbol_lead_to_each_other(name: str, symbol: str) -> None:
    pair = Pair.parse(name)
    assert (pair.name, str(pair), pair.symbol) == (name, name, symbol)
    assert Pair.from_symbol(symbol) == pair


@pytest.mark.parametrize(
    "name",
    [
        *("", "btcusdt", "BTC_USDT", "btc_usdt_eur", "btc_", "btc_usdt\n", "../btc_usdt", "-_usdt", "b/c_usdt"),
        *("b.c_usdt", "b c_usdt", "b\0c_usdt", "straße_usdt", "{btc}_usdt", "b*_usdt", "b_" + 50 * "x"),
    ],
)
def test_anything_else_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(UnknownPairError, match="is not a pair; write base and quote as in 'btc_usdt'"):
        Pair.parse(name)
