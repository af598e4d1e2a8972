"""The model that a pair's champion pointer names."""

import logging
import os
from typing import Any

from kedro.io import Version
from kedro.io.core import AbstractDataset, DatasetError

from make_us_rich.datasets.atomic import JSONDataset
from make_us_rich.datasets.champion import ChampionPointerDataset
from make_us_rich.datasets.onnx import OnnxDataset
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.manifest import Manifest
from make_us_rich.domain.published import Published
from make_us_rich.storage import own_error

log = logging.getLogger(__name__)


class ServedModelDataset(AbstractDataset[None, Published | None]):
    """The champion's manifest and graph, checked; None where no model is published, or one that is damaged. Read only.

    Examples:
        ```yaml
        "{pair}.served_model":
          type: make_us_rich.datasets.served_model.ServedModelDataset
          pair: "{pair}"
          filepath: s3://make-us-rich/06_models/{pair}
          credentials: storage
        ```

        >>> ServedModelDataset(pair="btc_usdt", filepath="not/there/yet").load() is None
        True
    """

    def __init__(
        self,
        *,
        pair: str,
        filepath: str | os.PathLike[str],
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Point to a pair's models.

        Args:
            pair: Name such as ``btc_usdt``.
            filepath: Folder of its pointer and of its versions.
            credentials: Arguments of the filesystem that are secret.
            metadata: For plugins such as Kedro-Viz.
        """
        self._pair = pair
        self._folder = os.fspath(filepath).rstrip("/")
        self._credentials = credentials
        self.metadata = metadata

    def load(self) -> Published | None:
        """The model. One that is damaged is told and taken for none: else no run could ever replace it.

        Raises:
            ArtifactError: The pointer is damaged.
            StorageError: The store failed.
        """
        pointer = ChampionPointerDataset(
            pair=self._pair, filepath=f"{self._folder}/champion.json", credentials=self._credentials
        ).load()
        if pointer.version is None:
            return None
        try:
            return self._version(pointer.version)
        except ArtifactError as exc:
            log.warning("%s; this run takes it for no champion", exc)
            return None

    def _version(self, version: str) -> Published:
        name = f"{self._pair} {version}"
        try:
            manifest = Manifest.read(self._at(version, JSONDataset, "manifest.json"), name)
            graph = self._at(version, OnnxDataset, "model.onnx")
            baseline = self._at(version, OnnxDataset, "baseline.onnx") if manifest.baseline else None
        except DatasetError as exc:
            raise _told(exc, name) from exc
        manifest.verify("onnx_model", graph)
        if baseline is not None:
            manifest.verify("baseline_onnx", baseline)
        return Published(manifest, graph, baseline)

    def _at(self, version: str, kind: type[JSONDataset | OnnxDataset], file: str) -> Any:
        where: dict[str, Any] = {"version": Version(version, None), "credentials": self._credentials}
        return kind(filepath=f"{self._folder}/{file}", **where).load()

    def save(self, data: None) -> None:  # noqa: ARG002
        """Models are published under their versions, and served by the pointer.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"{self}: read only; save the champion pointer instead")

    def _exists(self) -> bool:
        return self.load() is not None

    def _describe(self) -> dict[str, Any]:
        return {"pair": self._pair, "filepath": self._folder}


def _told(exc: DatasetError, name: str) -> Exception:
    """Our own error within Kedro's, or that an artifact is missing."""
    own = own_error(exc)
    if own is not None:
        return type(own)(str(own))
    if isinstance(exc.__cause__, FileNotFoundError):
        return ArtifactError(
            f"{name}: it is served and its artifacts are not stored; train the pair again or roll back"
        )
    return exc
