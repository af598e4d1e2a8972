import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_us_rich.domain.errors import UnknownPairError
from make_us_rich.domain.pair import Pair

CURRENCY = st.from_regex(r"[a-z0-9]{2,12}", fullmatch=True)


def test_a_name_is_read_into_base_and_quote() -> None:
    assert Pair.parse("btc_usdt") == Pair(base="btc", quote="usdt")


def test_the_exchange_spells_a_pair_in_capitals_without_a_line() -> None:
    assert Pair.parse("chz_usdt").symbol == "CHZUSDT"


@given(CURRENCY, CURRENCY)
def test_a_name_survives_a_round_trip(base: str, quote: str) -> None:
    assert Pair.parse(f"{base}_{quote}").name == f"{base}_{quote}"


@pytest.mark.parametrize(
    "name", ["", "btcusdt", "BTC_USDT", "btc-usdt", "btc_usdt_eur", "b_usdt", "btc_", "btc_usdt\n", "../btc_usdt"]
)
def test_anything_else_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(UnknownPairError, match="is not a pair; write base and quote as in 'btc_usdt'"):
        Pair.parse(name)


def test_a_number_is_refused_too() -> None:
    with pytest.raises(UnknownPairError, match=r"^5 is not a pair"):
        Pair.parse(5)  # type: ignore[arg-type]
