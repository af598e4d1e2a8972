"""Currencies: which ones a symbol may be quoted in, and about what one is worth."""

USD_VALUES: dict[str, float] = {
    "BTC": 60_000.0,
    "ETH": 3_000.0,
    "BNB": 550.0,
    "SOL": 150.0,
    "LTC": 85.0,
    "LINK": 14.0,
    "DOT": 6.5,
    "XRP": 0.6,
    "ADA": 0.45,
    "DOGE": 0.12,
    "CHZ": 0.1,
    "TRX": 0.12,
    "SHIB": 0.00002,
    "USDT": 1.0,
    "USDC": 1.0,
    "FDUSD": 1.0,
    "TUSD": 1.0,
    "BUSD": 1.0,
    "DAI": 1.0,
    "EUR": 1.08,
    "GBP": 1.27,
    "JPY": 0.0066,
    "TRY": 0.03,
    "BRL": 0.19,
}
"""Plausible worth in US dollars, for the scale of simulated prices only."""

QUOTES: tuple[str, ...] = (
    *("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "DAI"),
    *("BTC", "ETH", "BNB", "EUR", "GBP", "JPY", "TRY", "BRL"),
)
"""Currencies that symbols end in; longer names first, so that ``BTCFDUSD`` is priced in FDUSD."""


def split_symbol(symbol: str) -> tuple[str, str] | None:
    """Base and quote of an exchange symbol, or None where it ends in no known quote."""
    for quote in QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol.removesuffix(quote), quote
    return None
