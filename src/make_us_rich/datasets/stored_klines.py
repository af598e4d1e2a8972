"""The klines that are stored already: none at the first run."""

import pandas as pd

from make_us_rich.candles.frame import empty_klines
from make_us_rich.datasets.atomic import ParquetDataset
from make_us_rich.domain.klines import KLINE_DTYPES


class StoredKlinesDataset(ParquetDataset):
    """The stored klines, or an empty kline frame where nothing is stored yet.

    Only the store's own answer "no such file" counts as nothing: a store that does not answer is an error,
    else a year would be fetched again and the stored candles overwritten.

    Examples:
        ```yaml
        btc_usdt.stored_klines:
          type: make_us_rich.datasets.stored_klines.StoredKlinesDataset
          filepath: data/01_raw/btc_usdt/klines.parquet
          credentials: storage
        ```

        >>> StoredKlinesDataset(filepath="not/there/yet.parquet").load().empty
        True
    """

    REMEDY = "delete it to fetch the candles again"

    def absent(self, exc: FileNotFoundError) -> pd.DataFrame:  # noqa: ARG002
        """An empty kline frame."""
        return empty_klines()

    def decode(self, content: bytes) -> pd.DataFrame:
        """The klines in Parquet bytes.

        Raises:
            ValueError: They are not of the kline schema.
        """
        klines = super().decode(content)
        found = {str(name): str(dtype) for name, dtype in klines.dtypes.items()}
        if found != KLINE_DTYPES:
            odd = sorted(dict(found.items() ^ KLINE_DTYPES.items()))
            raise ValueError(f"columns that are not as the kline schema says: {', '.join(odd)}")
        return klines
