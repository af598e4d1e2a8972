"""Kline files of common origins, read into the rows that an exchange sends.

CSV (plain, ``.gz``, or the ``.zip`` of data.binance.vision), JSON (freqtrade, ccxt), Feather and Parquet are read,
with names such as ``BTCUSDT-1h-2024-01.zip``, ``Binance_BTCUSDT_1h.csv`` and ``BTC_USDT-1h.feather``. Ambiguous files
are refused with file, line and remedy. Numbers keep the text that they are written with.
"""

import csv
import gzip
import io
import json
import logging
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.klines import INTERVAL_MS, KLINE_COLUMNS, to_ms
from make_us_rich.domain.pair import QUOTES
from make_us_rich.klines.frame import milliseconds

logger = logging.getLogger(__name__)

ENDINGS = (".csv", ".csv.gz", ".zip", ".json", ".json.gz", ".feather", ".parquet")
EARLIEST, LATEST = datetime(2009, 1, 3, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""No candle is older than Bitcoin. Within these years the unit of a number is unambiguous."""

_TIME_NAMES = ("unix", "unix_timestamp", "timestamp", "open_time", "opentime", "open_timestamp", "time", "date",
               "datetime", "open_date", "index")  # fmt: skip
"""Columns of open times; where a file has several, the first one of this list counts."""
_ALIASES: dict[str, str] = {
    **{name: name for name in KLINE_COLUMNS[1:]},
    **dict(zip("ohlcv", KLINE_COLUMNS[1:6], strict=True)),
    **dict.fromkeys(("vol", "base_volume"), "volume"),
    **dict.fromkeys(("closetime", "close_timestamp"), "close_time"),
    **dict.fromkeys(("quote_asset_volume", "quote_volume"), "quote_av"),
    **dict.fromkeys(("number_of_trades", "count", "num_trades", "tradecount", "trade_count"), "trades"),
    **dict.fromkeys(("taker_buy_base", "taker_buy_volume", "taker_buy_base_asset_volume"), "tb_base_av"),
    **dict.fromkeys(("taker_buy_quote", "taker_buy_quote_volume", "taker_buy_quote_asset_volume"), "tb_quote_av"),
}
_NEEDED = KLINE_COLUMNS[:6]
_EXCHANGES = ("binance", "binanceus", "bitfinex", "bitstamp", "coinbase", "gemini", "kraken", "okx", "poloniex")
_INTERVAL_NAMES = {"1H": "1h", "1D": "1d", "d": "1d", "hour": "1h", "minute": "1m"}
_NO_PRICES = {"mark", "index", "premiumindex", "funding"}
"""Words in names of files, such as freqtrade's of futures, that hold other series of the same symbol."""
_ENDING = re.compile(f"({'|'.join(map(re.escape, ENDINGS))})$", re.IGNORECASE)

_NUMBER = r"-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?"
_REPAIR = "repair or remove the line"

Texts: TypeAlias = "pd.Series[Any]"
"""A column as written; its index has the numbers of lines or rows, its index's name says which."""


def find_files(folder: Path) -> dict[str, list[Path]]:
    """The kline files of a folder by symbol; subfolders are not searched, other files are logged."""
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder", "give the folder that holds the kline files")
    files: dict[str, list[Path]] = defaultdict(list)
    endings = ", ".join(ENDINGS)
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        if _ENDING.search(path.name):
            files[parse_name(path)[0]].append(path)
        else:
            logger.warning("skipped %s: not a kline file, which ends in %s", path, endings)
    if not files:
        raise DataError(f"{folder} has no kline files", f"put files named like BTCUSDT-1h.csv.gz there ({endings})")
    return dict(files)


def parse_name(path: Path) -> tuple[str, str | None]:
    """Symbol and interval in a file's name, None for an interval that it does not have."""
    words = [word for word in re.split(r"[-_. ]", _ENDING.sub("", path.name)) if word]
    words = words[1:] if len(words) > 1 and words[0].lower() in _EXCHANGES else words
    named = [word for word in words[1:] if word in _INTERVAL_NAMES or re.fullmatch(r"\d+[smhdwM]", word)]
    interval = _INTERVAL_NAMES.get(named[0], named[0]) if named else None
    if interval is not None and interval not in INTERVAL_MS:
        remedy = f"name the file like {words[0]}-1h.csv; intervals are {', '.join(INTERVAL_MS)}"
        raise DataError(f"{path}: {interval} is not an interval that can be read", remedy)
    if other := sorted(_NO_PRICES & {word.lower() for word in words[1:]}):
        raise DataError(f"{path}: {other[0]} candles are not traded prices", "remove the file from the folder")
    quoted = len(words) > 1 and words[1].upper() in QUOTES
    symbol = "".join(words[: 2 if quoted else 1]).upper()
    if not any(sign.isalpha() for sign in symbol):
        raise DataError(f"{path}: the name has no symbol", "name the file like BTCUSDT-1h.csv")
    return symbol, interval


def read_candles(symbol: str, paths: Sequence[Path]) -> tuple[str, list[list[Any]]]:
    """The interval of a symbol's files, and their candles, merged and ascending.

    Where two files have the same candle, the file that comes first keeps it.

    Returns:
        The interval's name, and ``[candle][12]`` as Binance sends it: times in ms and trades are integers, everything
        else is text. What a file does not have is 0.

    Raises:
        DataError: A file is damaged, has no candles, or is of another interval than the others.
    """
    intervals, frames = set[str](), []
    for path in paths:
        for table in _read_tables(path):
            candles = _candles(table, symbol, path)
            interval = _interval(candles["timestamp"], path)
            intervals.add(interval)
            if "close_time" not in candles:
                candles["close_time"] = candles["timestamp"] + INTERVAL_MS[interval] - 1
            frames.append(candles.reindex(columns=list(KLINE_COLUMNS), fill_value="0"))
    if len(intervals) != 1:
        found = " and ".join(name for name in INTERVAL_MS if name in intervals) or "no interval"
        raise DataError(f"{symbol}: files of {found} in one folder", "keep one interval of a symbol")
    merged = pd.concat(frames).drop_duplicates("timestamp").sort_values("timestamp")
    return intervals.pop(), merged.astype(object).to_numpy().tolist()


def _interval(opens: "pd.Series[Any]", path: Path) -> str:
    """The interval that the name gives, checked against the most frequent distance of the candles."""
    symbol, named = parse_name(path)
    step = int(opens.sort_values().diff().mode()[0]) if len(opens) > 2 else INTERVAL_MS.get(named or "", 0)
    found = next((name for name, length in INTERVAL_MS.items() if length == step), None)
    if found is None or found != (named or found):
        said = f"the name says {named}, but most" if named else "most"
        apart = f"{said} candles are {step / 60_000:g} minutes apart"
        raise DataError(f"{path}: {apart}", f"check its times, or name the file like {symbol}-1h.csv")
    return found


# From a table of texts to candles


def _candles(table: pd.DataFrame, symbol: str, path: Path) -> pd.DataFrame:
    """The file's columns of the kline schema, typed; without ``close_time`` where the file has none."""
    if table.empty:
        raise DataError(f"{path}: no candles inside", "remove the file or fetch it again")
    table = table.set_axis(_column_names(table, symbol, path), axis="columns")
    candles = pd.DataFrame({"timestamp": _times(table.pop("timestamp"), path), "trades": 0})
    if "close_time" in table:
        candles["close_time"] = _times(table.pop("close_time"), path)
    for name in table.columns.intersection(list(KLINE_COLUMNS)):
        wrong = table[name][~table[name].str.fullmatch(_NUMBER)]
        if len(wrong):
            message = f"{_place(wrong, path)}: not a kline: {name} is {wrong.iloc[0][:40]!r}, not a number"
            raise DataError(message, _REPAIR)
        candles[name] = table[name].map(lambda text: format(Decimal(text), "f") if "e" in text.lower() else text)
    candles["trades"] = candles["trades"].map(lambda text: int(Decimal(text)))
    return candles


def _column_names(table: pd.DataFrame, symbol: str, path: Path) -> list[str]:
    """The kline schema's names of the columns, and others of those that it does not have."""
    width = table.shape[1]
    if isinstance(table.columns, pd.RangeIndex):
        if width not in (len(_NEEDED), len(KLINE_COLUMNS)):
            columns = "open time, open, high, low, close, volume, and maybe Binance's six others"
            message = f"{_place(table, path)}: not a kline: {width} columns without a header"
            raise DataError(message, f"a line has {columns}; add a header")
        return list(KLINE_COLUMNS[:width])
    names = [re.sub(r"\W+", "_", str(name).lower()).strip("_") for name in table.columns]
    found = {_ALIASES[name]: name for name in reversed(names) if name in _ALIASES}
    if times := [name for name in _TIME_NAMES if name in names]:
        found["timestamp"] = times[0]
    for name in names:  # CryptoDataDownload has "Volume BTC" and "Volume USDT".
        currency = name.removeprefix("volume_").upper()
        if name.startswith("volume_") and symbol.startswith(currency):
            found["volume"] = name
        elif name.startswith("volume_") and symbol.endswith(currency):
            found["quote_av"] = name
    missing = [name for name in _NEEDED if name not in found]
    if missing == list(_NEEDED) and width == len(KLINE_COLUMNS):
        return list(KLINE_COLUMNS)
    if missing:
        message = f"{path}: no column {', '.join(missing)} among {', '.join(map(str, table.columns))[:80]}"
        raise DataError(message, f"name the columns {', '.join(_NEEDED)}")
    positions = {names.index(name): ours for ours, name in found.items()}
    return [positions.get(at, f"other {at}") for at in range(width)]


def _place(rows: "pd.DataFrame | Texts", path: Path) -> str:
    """Where the first of some rows stands."""
    return f"{path}, {rows.index.name} {rows.index[0]}"


def _times(texts: Texts, path: Path) -> "pd.Series[Any]":
    """Times as ms since 1970. Numbers may be in s, ms, us or ns; dates without a zone are UTC."""
    if texts.str.fullmatch(r"\d+(?:\.0*)?").all():
        times = texts.map(_number_ms)
    else:
        dates = _iso_dates(texts, path)
        moments = pd.to_datetime(dates, format="ISO8601", utc=True, errors="coerce")
        for form in ("%Y-%m-%d %I-%p", "%Y-%m-%d %I:%M %p", "%Y-%m-%d %I:%M:%S %p"):
            moments = moments.fillna(pd.to_datetime(dates, format=form, utc=True, errors="coerce"))
        times = pd.Series(milliseconds(moments), texts.index)
    wrong = texts[~times.between(to_ms(EARLIEST), to_ms(LATEST), inclusive="left")]
    if len(wrong):
        message = f"{wrong.iloc[0][:40]!r} is not a time between {EARLIEST:%Y} and {LATEST:%Y}"
        remedy = "write times in ISO 8601 or in s, ms, us or ns since 1970"
        raise DataError(f"{_place(wrong, path)}: {message}", remedy)
    return times


def _number_ms(text: str) -> int:
    """A number in the only unit that makes it a plausible time; 0 where none does."""
    number = int(text.partition(".")[0])
    units = (number * 1000, number, number // 10**3, number // 10**6)
    return next((moment for moment in units if to_ms(EARLIEST) <= moment < to_ms(LATEST)), 0)


def _iso_dates(texts: Texts, path: Path) -> Texts:
    """Dates with the year first; day and month may come in either order where some date of the column shows which."""
    texts = texts.str.removesuffix(" UTC").str.replace(r"^(\d{4})/(\d{1,2})/(\d{1,2})", r"\1-\2-\3", regex=True)
    parts = texts.str.extract(r"^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(.*)$").dropna()
    if parts.empty:
        return texts
    day_first, month_first = (parts[[0, 1]].astype(int) > 12).any()
    if day_first == month_first:
        why = "no date shows" if not day_first else "the dates contradict each other about"
        message = f"{_place(parts, path)}: {why} whether day or month comes first"
        raise DataError(message, "write dates as 2025-03-01 13:00:00")
    day, month = (parts[0], parts[1]) if day_first else (parts[1], parts[0])
    return (parts[2] + "-" + month.str.zfill(2) + "-" + day.str.zfill(2) + parts[3]).reindex(texts.index).fillna(texts)


# From a file to a table of texts


def _read_tables(path: Path) -> Iterator[pd.DataFrame]:
    """A file's tables, of `Texts`; without a header the columns are numbered."""
    name = path.name.lower().removesuffix(".gz")
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix.lower() == ".gz" else content
        if name.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                members = sorted(each for each in archive.namelist() if each.lower().endswith(".csv"))
                yield from (_csv_table(archive.read(member), path) for member in members)
        elif name.endswith(".csv"):
            yield _csv_table(content, path)
        else:
            yield _typed_table(content, name)
    except (OSError, EOFError, TypeError, ValueError, zlib.error, zipfile.BadZipFile) as exc:
        raise DataError(f"{path}: cannot be read ({' '.join(str(exc).split())})", "fetch the file again") from exc


def _typed_table(content: bytes, name: str) -> pd.DataFrame:
    """Arrays of candles, records or columns in JSON, whose numbers keep their text; Feather and Parquet."""
    if name.endswith(".json"):
        data = json.loads(content, parse_float=str, parse_int=str)
        if isinstance(data, list) and len({len(row) for row in data}) > 1:
            raise ValueError("rows of different lengths")
        table = pd.DataFrame(data, dtype=object)
    elif name.endswith(".feather"):
        table = pd.read_feather(io.BytesIO(content))
    else:
        table = pd.read_parquet(io.BytesIO(content))
    if isinstance(table.index, pd.DatetimeIndex):
        table = table.reset_index()
    return table.map(str).astype(object).set_axis(pd.RangeIndex(1, len(table) + 1, name="row"))


def _csv_table(content: bytes, path: Path) -> pd.DataFrame:
    lines = content.decode("utf-8-sig").splitlines()
    start = next((at for at, line in enumerate(lines) if re.search(r"[,;\t]", line) and line[0] != "#"), len(lines))
    delimiter = max(",;\t", key=lines[start].count) if start < len(lines) else ","
    rows = [[field.strip() for field in row] for row in csv.reader(lines[start:], delimiter=delimiter)]
    numbers = pd.RangeIndex(start + 1, start + 1 + len(rows), name="line")
    for number, row in zip(numbers, rows, strict=True):
        if len(row) != len(rows[0]):
            message = f"{path}, line {number}: not a kline: {','.join(row)[:80]!r} has {len(row)} columns"
            raise DataError(message, _REPAIR)
    table = pd.DataFrame(rows, numbers, dtype=object)
    if rows and not any(re.fullmatch(_NUMBER, field) for field in rows[0]):
        return table.iloc[1:].set_axis(rows[0], axis="columns")
    return table
