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

    def load(self) -> pd.DataFrame:
        """The table.

        Raises:
            ArtifactError: The file is damaged.
            StorageError: The store failed.
        """
        try:
            return super().load.__wrapped__(self)  # type: ignore[attr-defined, no-any-return]
        except FileNotFoundError:
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

    def load(self) -> dict[str, Any]:
        """The record.

        Raises:
            ArtifactError: The file is damaged.
            StorageError: The store failed.
        """
        try:
            return super().load.__wrapped__(self)  # type: ignore[attr-defined, no-any-return]
        except FileNotFoundError:
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
