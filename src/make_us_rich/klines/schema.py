"""The kline schema as pandera's, which the catalog's ``validator`` names: checked whenever candles are saved or loaded.

Beside the catalog, only the fork server imports this module: pandera takes a third of a second.
"""

import pandera.pandas as pa

from make_us_rich.domain.klines import KLINE_DTYPES
from make_us_rich.klines.quality import unusable

_COLUMNS = {name: pa.Column(dtype, nullable=True) for name, dtype in KLINE_DTYPES.items()}

KLINES = pa.DataFrameSchema(_COLUMNS, strict=True, ordered=True)
"""Candles as the exchange sent them: columns and dtypes. The quality checks look at the values."""

_ASCENDING = pa.Check(lambda times: times.is_monotonic_increasing, error="open times that do not ascend")

CLEAN_KLINES = pa.DataFrameSchema(
    {**_COLUMNS, "timestamp": pa.Column(KLINE_DTYPES["timestamp"], _ASCENDING, unique=True)},
    checks=pa.Check(lambda klines: not unusable(klines).any(), error="candles that the quality checks remove"),
    strict=True,
    ordered=True,
)
"""Candles that have passed the quality checks."""
