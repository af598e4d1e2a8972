"""What earlier runs have stored, or nothing yet; and text."""

from typing import Any

import pandas as pd
from kedro_datasets.text import text_dataset

from make_us_rich.datasets.atomic import JSONDataset, ParquetDataset, WholeFile


class StoredTableDataset(ParquetDataset):
    """A table that grows run by run; a frame without rows and columns where nothing is stored yet.

    Examples:
        ```yaml
        "{pair}.stored_verdicts":
          type: make_us_rich.datasets.stored.StoredTableDataset
          filepath: data/08_reporting/{pair}/verdicts.parquet
          credentials: storage
        ```

        >>> StoredTableDataset(filepath="not/there/yet.parquet").load().empty
        True
    """

    def absent(self, exc: FileNotFoundError) -> pd.DataFrame:  # noqa: ARG002
        """A frame without rows and columns."""
        return pd.DataFrame()


class StoredJSONDataset(JSONDataset):
    """A record of an earlier run; an empty one where nothing is stored yet.

    Examples:
        ```yaml
        "{pair}.stored_tuned":
          type: make_us_rich.datasets.stored.StoredJSONDataset
          filepath: data/06_models/{pair}/tuned.json
          credentials: storage
        ```

        >>> StoredJSONDataset(filepath="not/there/yet.json").load()
        {}
    """

    def absent(self, exc: FileNotFoundError) -> dict[str, Any]:  # noqa: ARG002
        """An empty record."""
        return {}


class TextDataset(WholeFile, text_dataset.TextDataset):  # type: ignore[misc]
    """A text in a file that is whole or absent.

    Examples:
        ```yaml
        "{pair}.card_text":
          type: make_us_rich.datasets.stored.TextDataset
          filepath: data/06_models/{pair}/card.md
          credentials: storage
          versioned: true
        ```

        >>> TextDataset(filepath="card.md").save("# BTC/USDT")
    """

    def encode(self, data: str) -> bytes:
        """UTF-8."""
        return data.encode()

    def decode(self, content: bytes) -> str:
        """The text."""
        return content.decode()
