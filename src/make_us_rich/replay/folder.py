"""The market of a folder of kline files."""

import re
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.times import from_ms
from make_us_rich.replay.csv_files import read_csv
from make_us_rich.replay.intervals import FIXED
from make_us_rich.replay.parquet_files import read_parquet
from make_us_rich.replay.series import Series

_READERS: dict[str, Callable[[Path], tuple[list[int], list[bytes]]]] = {
    ".csv": read_csv,
    ".csv.gz": read_csv,
    ".parquet": read_parquet,
}
_NAME = re.compile(r"(?P<symbol>[A-Z0-9]{1,20})-(?P<interval>[0-9]+[smhd])(?:-.*)?")


class FolderMarket:
    """Replays files named like ``BTCUSDT-1h.csv.gz`` or ``BTCUSDT-1h-2017-2020.parquet``.

    Several files of a symbol are merged by open time; the first one, by name, keeps a candle that two have.
    Subfolders are not searched.

    Args:
        folder: The folder that holds the files.

    Raises:
        DataError: The folder is missing, has no kline files, or one of them is damaged.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._series = {symbol: _read(symbol, files) for symbol, files in _by_symbol(self.folder).items()}

    @property
    def title(self) -> str:
        """What is replayed, in words."""
        return f"{', '.join(self._series)} from {self.folder}"

    def about(self) -> dict[str, str]:
        """What ``exchangeInfo`` says of this market."""
        return {"market": "folder"}

    def symbols(self) -> tuple[str, ...]:
        """The symbols, in alphabetical order."""
        return tuple(self._series)

    def series(self, symbol: str, now: int) -> Series | None:  # noqa: ARG002
        """The candles of a symbol, or None where there is no file of it."""
        return self._series.get(symbol)

    def price_decimals(self, symbol: str) -> int:
        """Digits after the point that the last closes have."""
        series = self._series[symbol]
        closes = (row.split(b",", 5)[4].strip(b'"') for row in series.rows[-100:])
        return max(len(close.partition(b".")[2].rstrip(b"0")) for close in closes)

    def default_now(self) -> datetime:
        """Just after the last candle of the data has closed, UTC."""
        return from_ms(max(series.opens[-1] + series.step for series in self._series.values()))


def _by_symbol(folder: Path) -> dict[str, list[Path]]:
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give the folder that holds the kline files")
    files: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if path.is_file() and _ending(path) and (name := _NAME.fullmatch(_stem(path))):
            files[name["symbol"]].append(path)
    if not files:
        raise DataError(
            f"{folder} has no kline files; put files named like BTCUSDT-1h.csv.gz there (.csv, .csv.gz or .parquet)"
        )
    return dict(files)


def _ending(path: Path) -> str | None:
    return next((ending for ending in _READERS if path.name.endswith(ending)), None)


def _stem(path: Path) -> str:
    return path.name.removesuffix(_ending(path) or "")


def _read(symbol: str, files: list[Path]) -> Series:
    step = _step(symbol, files)
    rows: dict[int, bytes] = {}
    for path in files:
        for opened, row in zip(*_READERS[_ending(path) or ""](path), strict=True):
            rows.setdefault(opened, row)
    if not rows:
        raise DataError(f"{', '.join(map(str, files))}: no candles inside; remove the file or fetch it again")
    opens = sorted(rows)
    return Series(step, opens, [rows[opened] for opened in opens])


def _step(symbol: str, files: list[Path]) -> int:
    intervals = sorted({_interval(path) for path in files})
    if len(intervals) > 1:
        raise DataError(f"{symbol}: files of {' and '.join(intervals)} in one folder; keep one interval of a symbol")
    if intervals[0] not in FIXED:
        raise DataError(f"{files[0]}: {intervals[0]} is no interval of Binance; name the file like {symbol}-1h.csv")
    return FIXED[intervals[0]]


def _interval(path: Path) -> str:
    return _stem(path).split("-")[1]
