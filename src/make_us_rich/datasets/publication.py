"""A whole version, published at once or not at all."""

import os
from typing import Any

from kedro.io import Version
from kedro.io.core import AbstractDataset

from make_us_rich.datasets.atomic import JSONDataset
from make_us_rich.datasets.onnx import OnnxDataset
from make_us_rich.datasets.stored import TextDataset
from make_us_rich.datasets.versions import VersionsDataset
from make_us_rich.domain.publication import Publication


class PublicationDataset(AbstractDataset[tuple[Publication, ...], tuple[str, ...]]):
    """Versions that are made without training. Saving stores them; loading tells all versions that are whole.

    The manifest is written last: a version that a killed run has left half-way is none, and only the champion pointer
    decides what is served.

    Examples:
        ```yaml
        "{pair}.demoted_version":
          type: make_us_rich.datasets.publication.PublicationDataset
          filepath: s3://make-us-rich/06_models/{pair}
          credentials: storage
        ```

        >>> PublicationDataset(filepath="not/there/yet").load()
        ()
    """

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Point to a pair's models.

        Args:
            filepath: Folder of the artifacts, each versioned by Kedro: ``model.onnx/<version>/model.onnx``.
            credentials: Arguments of the filesystem that are secret.
            metadata: For plugins such as Kedro-Viz.
        """
        self._folder = os.fspath(filepath).rstrip("/")
        self._credentials = credentials
        self.metadata = metadata

    def load(self) -> tuple[str, ...]:
        """The whole versions, oldest first.

        Raises:
            StorageError: The store failed.
        """
        return VersionsDataset(filepath=self._folder, credentials=self._credentials).load()

    def save(self, data: tuple[Publication, ...]) -> None:
        """Store each version, its manifest last.

        Raises:
            StorageError: It could not be written; there is no such version then.
        """
        for publication in data:
            self._store(publication)

    def _store(self, made: Publication) -> None:
        published = made.published
        where: dict[str, Any] = {
            "version": Version(None, published.manifest.version),
            "credentials": self._credentials,
        }
        OnnxDataset(filepath=f"{self._folder}/model.onnx", **where).save(published.onnx_model)
        if published.baseline_onnx is not None:
            OnnxDataset(filepath=f"{self._folder}/baseline.onnx", **where).save(published.baseline_onnx)
        JSONDataset(filepath=f"{self._folder}/card.json", **where).save(made.card)
        TextDataset(filepath=f"{self._folder}/card.md", **where).save(made.card_text)
        manifest = published.manifest.model_dump(mode="json")
        JSONDataset(filepath=f"{self._folder}/manifest.json", **where).save(manifest)

    def _exists(self) -> bool:
        return bool(self.load())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._folder}
