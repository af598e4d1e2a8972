"""Kline files of text: CSV, plain or gzip, read without changing one character of a number."""

import gzip
import re
import zlib
from pathlib import Path

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.times import in_ms

_TIME = rb"\d{1,18}"
_NUMBER = rb"-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?"
_LINE = b",".join([_TIME, *[_NUMBER] * 5, _TIME, _NUMBER, rb"\d{1,18}", *[_NUMBER] * 3])
_WELL_FORMED = re.compile(rb"(?:" + _LINE + rb"\n)*+")
COLUMNS = 12


def read_csv(path: Path) -> tuple[list[int], list[bytes]]:
    """Open times in milliseconds UTC and the JSON array of each candle, in the file's order.

    Raises:
        DataError: The file cannot be read, or a line is not a candle.
    """
    text = _text(path)
    header = _header_length(text)
    if not _WELL_FORMED.fullmatch(text, header):
        raise DataError(_complaint(path, text, header))
    rows = [encode(line.split(b",")) for line in text[header:].splitlines()]
    return [opened for opened, _ in rows], [row for _, row in rows]


def encode(fields: list[bytes]) -> tuple[int, bytes]:
    """Open time and JSON array of one candle: texts stay as they are, times come out in milliseconds."""
    opened, closes = in_ms(int(fields[0])), in_ms(int(fields[6]))
    prices, taker = b'","'.join(fields[1:6]), b'","'.join(fields[9:])
    row = b'[%d,"%b",%d,"%b",%d,"%b"]' % (opened, prices, closes, fields[7], int(fields[8]), taker)
    return opened, row


def _text(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        text = gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as exc:
        raise DataError(f"{path}: cannot be read ({exc}); fetch the file again") from exc
    text = text.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    return text if not text or text.endswith(b"\n") else text + b"\n"


def _header_length(text: bytes) -> int:
    return text.index(b"\n") + 1 if text[:1].isalpha() else 0


def _complaint(path: Path, text: bytes, header: int) -> str:
    number = text.count(b"\n", 0, header)
    for line in text[header:].splitlines(keepends=True):
        number += 1
        if not _WELL_FORMED.fullmatch(line):
            break
    shown = line.decode(errors="replace").strip()
    return (
        f"{path}, line {number}: not a kline: {shown[:80]!r}; a line has {COLUMNS} numbers"
        " (open time, open, high, low, close, volume, close time, quote volume, trades,"
        " taker base, taker quote, ignore) with times and trades as whole numbers; repair or remove it"
    )
