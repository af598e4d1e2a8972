"""The candles in a folder of kline files, whoever wrote them: CSV, gzip or Parquet, our names or the exchange's."""

import re
import warnings
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.klines import HOUR, KLINE_COLUMNS, KLINE_DTYPES

ENDINGS = (".csv", ".csv.gz", ".parquet")
QUOTES = ("usdt", "usdc", "fdusd", "busd", "tusd", "usd", "eur", "try", "btc", "eth", "bnb")
EXCHANGE_COLUMNS = (
    "open_time",
    *KLINE_COLUMNS[1:7],
    "quote_asset_volume",
    "number_of_trades",
    "taker_buy_base",
    "taker_buy_quote",
    "ignore",
)
ALIASES = {
    **dict(zip(EXCHANGE_COLUMNS, KLINE_COLUMNS, strict=True)),
    **dict.fromkeys(("time", "date", "datetime", "opentime", "open_date"), "timestamp"),
    "quote_volume": "quote_av",
    "count": "trades",
    "num_trades": "trades",
    "taker_buy_volume": "tb_base_av",
    "taker_buy_quote_volume": "tb_quote_av",
    "taker_buy_base_asset_volume": "tb_base_av",
    "taker_buy_quote_asset_volume": "tb_quote_av",
}
NEEDED = ("open", "high", "low", "close", "volume")
START = pd.Timestamp("2000-01-03", tz="UTC")
"""Where hours without a time are counted from: a Monday, at midnight."""


def kline_files(folder: Path) -> list[Path]:
    """The kline files of a folder, by name.

    Raises:
        DataError: There is none.
    """
    files = sorted(path for path in folder.glob("*") if path.name.lower().endswith(ENDINGS))
    if not files:
        raise DataError(f"{folder} has no kline files; put files named like BTCUSDT-1h.csv.gz there")
    return files


def pair_name(path: Path) -> str:
    """``btc_usdt`` from ``BTCUSDT-1h.csv.gz``; what follows the interval stays, as in ``btc_usdt-2017-2020``."""
    symbol, *rest = re.split(r"[-_.]1h", re.sub(r"\.(csv|csv\.gz|parquet)$", "", path.name))
    base = symbol.lower().replace("_", "").replace("-", "")
    quote = next((quote for quote in QUOTES if base.endswith(quote) and base != quote), "")
    name = f"{base.removesuffix(quote)}_{quote}" if quote else base
    return name + "".join(rest)


def read_klines(path: Path) -> pd.DataFrame:
    """The candles of a file in the kline schema.

    Columns go by our names, by the exchange's, or, in a CSV without a header, by their order. Open, high, low, close
    and volume are needed. A column that is missing is 0, so that features of it say nothing; without any time the
    rows count as contiguous hours from a Monday, midnight.

    Raises:
        DataError: It is no such file; a column that is needed is missing, or holds no numbers.
    """
    try:
        raw = pd.read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    except (OSError, EOFError, ValueError, zlib.error) as exc:
        reason = " ".join(str(exc).split())
        raise DataError(f"it cannot be read as candles ({reason}); fetch the file again") from exc
    if isinstance(raw.index, pd.DatetimeIndex):
        raw = raw.rename_axis("timestamp").reset_index()
    named = raw.rename(columns=lambda name: ALIASES.get(_plain(name), _plain(name)))
    frame = named.loc[:, ~named.columns.duplicated()]
    missing = [name for name in NEEDED if name not in frame]
    if missing:
        raise DataError(f"no column {', '.join(missing)}; give open, high, low, close and volume")
    try:
        return _typed(frame)
    except (TypeError, ValueError) as exc:
        raise DataError(f"a value is of the wrong kind ({exc}); fetch the file again") from exc


def _read_csv(path: Path) -> pd.DataFrame:
    first = pd.read_csv(path, header=None, nrows=1, dtype=str).iloc[0]
    if not str(first.iloc[-1]).replace(".", "", 1).isdigit():
        return pd.read_csv(path)
    order = NEEDED if len(first) == len(NEEDED) else KLINE_COLUMNS[: len(first)]
    return pd.read_csv(path, header=None, names=list(order))


def _plain(name: object) -> str:
    return str(name).strip().lower().replace(" ", "_")


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    opened = _times(frame["timestamp"]) if "timestamp" in frame else _contiguous(len(frame))
    columns: dict[str, object] = {"timestamp": opened}
    for name in KLINE_COLUMNS[1:]:
        columns[name] = pd.to_numeric(frame[name]).to_numpy() if name in frame and name != "close_time" else 0.0
    columns["close_time"] = opened + HOUR - pd.Timedelta("1ms")
    return pd.DataFrame(columns)[list(KLINE_COLUMNS)].astype(KLINE_DTYPES)


def _contiguous(rows: int) -> pd.DatetimeIndex:
    warnings.warn("no time column: the rows count as contiguous hours", stacklevel=2)
    return pd.date_range(START, periods=rows, freq="h", unit="ms")


def _times(values: "pd.Series[object]") -> pd.DatetimeIndex:
    """Times in s, ms, us or ns since 1970, ISO text, or times already; without a zone they are UTC.

    Each number has a unit of its own: the exchange's dumps of 2025 go on in microseconds.
    """
    if not pd.api.types.is_numeric_dtype(values):
        return pd.DatetimeIndex(pd.to_datetime(values, utc=True, format="mixed")).as_unit("ms")
    numbers = values.to_numpy(np.float64)
    units = np.select([numbers < 1e11, numbers < 1e14, numbers < 1e17], [1e3, 1.0, 1e-3], 1e-6)
    return pd.DatetimeIndex(pd.to_datetime(np.floor(numbers * units), unit="ms", utc=True)).as_unit("ms")
