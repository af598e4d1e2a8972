"""Kline files in Parquet; pyarrow is loaded only where there is one."""

import math
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.klines import KLINE_COLUMNS
from make_us_rich.domain.times import to_ms
from make_us_rich.replay.csv_files import COLUMNS, encode

_WHOLE = (0, 6, 8)


def read_parquet(path: Path) -> tuple[list[int], list[bytes]]:
    """Open times in milliseconds UTC and the JSON array of each candle, in the file's order.

    Columns are found by the names of the kline schema, else the first 12 are taken in order. Numbers
    stored as text come out as they are, floating-point ones as the shortest decimal that reads back the same.

    Raises:
        DataError: The file cannot be read, has too few columns, or a row is not a candle.
    """
    columns = _columns(path)
    opens, rows = [], []
    for number, values in enumerate(zip(*columns, strict=True), start=1):
        try:
            opened, row = encode([_field(at, value) for at, value in enumerate(values)])
        except (ValueError, TypeError, ArithmeticError) as exc:
            raise DataError(f"{path}, row {number}: not a kline ({exc}); repair or remove it") from exc
        opens.append(opened)
        rows.append(row)
    return opens, rows


def _columns(path: Path) -> list[list[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as exc:
        raise DataError(f"{path}: cannot be read ({exc}); fetch the file again") from exc
    names = table.column_names
    chosen = list(KLINE_COLUMNS) if set(KLINE_COLUMNS) <= set(names) else names[:COLUMNS]
    if len(chosen) < COLUMNS:
        raise DataError(f"{path}: {len(names)} columns, a kline file has {COLUMNS}; save all columns of the klines")
    return [_plain(table.column(name), pa) for name in chosen]


def _plain(column: Any, pa: Any) -> list[Any]:
    # Nanosecond times would need pandas to become Python objects.
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms", tz=column.type.tz), safe=False)
        return list(column.cast(pa.int64()).to_pylist())
    return list(column.to_pylist())


def _field(at: int, value: Any) -> bytes:
    if at in _WHOLE:
        return str(_whole(value)).encode()
    if isinstance(value, str):
        number = Decimal(value)
        text = value
    else:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        text = format(number, "f")
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a number")
    return text.encode()


def _whole(value: Any) -> int:
    if isinstance(value, datetime):
        return to_ms(value)
    if isinstance(value, float) and not (math.isfinite(value) and value.is_integer()):
        raise ValueError(f"{value!r} is not a whole number")
    return int(value)
