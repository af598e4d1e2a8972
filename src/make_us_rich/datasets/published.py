"""Datasets of a pair's published models: champion pointer, versions, the model that is served.

Examples:
    ```yaml
    "{pair}.served_model":
      type: make_us_rich.datasets.published.PublishedModelDataset
      pair: "{pair}"
      filepath: s3://make-us-rich/06_models/{pair}
      credentials: storage
    ```

    >>> VersionsDataset(filepath="not/there/yet").load()
    ()
    >>> PublishedModelDataset(pair="btc_usdt", filepath="not/there/yet").load() is None
    True
"""

import json
import logging
import os
from collections.abc import Collection
from contextlib import suppress
from copy import deepcopy
from functools import partial
from pathlib import PurePosixPath
from typing import Any, BinaryIO, NoReturn

import fsspec
from kedro.io import Version
from kedro.io.core import AbstractDataset, DatasetError, get_protocol_and_path
from kedro_datasets._typing import JSONPreview

from make_us_rich.datasets.atomic import AtomicDataset, list_files
from make_us_rich.datasets.files import BytesDataset, JSONDataset, TextDataset
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.errors import ArtifactError, MissingArtifactError
from make_us_rich.domain.manifest import Publication, Published
from make_us_rich.inference.session import require_features
from make_us_rich.storage import storage_errors

log = logging.getLogger(__name__)

_FILES = {
    "onnx_model": "model.onnx",
    "baseline_onnx": "baseline.onnx",
    "past_forecasts": "past_forecasts.npz",
    "scenario_ranks": "scenario_ranks.npz",
}
ARTIFACTS = ("manifest.json", *_FILES.values(), "scaler.pkl", "card.json", "card.md")
"""Files of a published version, in the order of deletion: a version without a manifest does not exist."""


class ChampionPointerDataset(JSONDataset):
    """The champion pointer of one pair in a JSON file; an empty pointer where none is stored."""

    def __init__(self, *, pair: str, filepath: str | os.PathLike[str], **kwargs: Any) -> None:
        """Point to the file of a pair such as ``btc_usdt``; other arguments as for ``JSONDataset``."""
        super().__init__(filepath=filepath, **kwargs)
        self._pair = pair
        self._empty = partial(ChampionPointer, pair=pair)

    def _encode(self, data: ChampionPointer, file: BinaryIO) -> None:
        if data.pair != self._pair:
            message = f"{self._pair}: refused to save the champion pointer of {data.pair}"
            raise ArtifactError(message, f"save it as {data.pair}'s")
        super()._encode(data.model_dump(mode="json"), file)

    def _decode(self, file: BinaryIO) -> ChampionPointer:
        return ChampionPointer.read(super()._decode(file), self._pair)

    def preview(self) -> JSONPreview:
        """The promotions, for Kedro-Viz."""
        return JSONPreview(self.load().model_dump_json())


class PairModelsDataset(AbstractDataset[Any, Any]):
    """Base of datasets about all artifacts of a pair, each versioned by Kedro: ``model.onnx/<version>/model.onnx``."""

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Point to the folder of a pair's pointer and artifacts; ``metadata`` is for plugins such as Kedro-Viz."""
        protocol, path = get_protocol_and_path(filepath)
        self._folder = os.fspath(filepath).rstrip("/")
        self._path = PurePosixPath(path)
        self._fs = fsspec.filesystem(protocol, **deepcopy(credentials or {}))
        self._credentials = credentials
        self.metadata = metadata

    def load(self) -> Any:
        """The complete versions, oldest first; StorageError if the store failed."""
        return tuple(sorted(self._versions()[ARTIFACTS[0]]))

    def preview(self) -> JSONPreview:
        """The complete versions, oldest first, for Kedro-Viz."""
        return JSONPreview(json.dumps(self.load()))

    def _exists(self) -> bool:
        return bool(self.load())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._folder}

    def _versions(self) -> dict[str, frozenset[str]]:
        files = [file.parts for file in list_files(self._fs, self._path.as_posix())]
        return {
            artifact: frozenset(parts[1] for parts in files if len(parts) == 3 and parts[::2] == (artifact, artifact))
            for artifact in ARTIFACTS
        }

    def _dataset(self, file: str, version: Version) -> AtomicDataset:
        kinds: dict[str, type[AtomicDataset]] = {"json": JSONDataset, "md": TextDataset}
        kind = kinds.get(file.rpartition(".")[2], BytesDataset)
        return kind(filepath=f"{self._folder}/{file}", version=version, credentials=self._credentials)


class VersionsDataset(PairModelsDataset):
    """The complete versions of a pair. Saving a collection of versions deletes all others."""

    def save(self, data: Collection[str]) -> None:
        """Delete every version that is not among these, incomplete ones too.

        Raises:
            DatasetError: The versions are a text and not a collection.
            StorageError: The store failed.
        """
        if isinstance(data, str):
            raise DatasetError(f"{self}: {data!r} is one version; give a collection of all that stay")
        stored = self._versions()
        for version in sorted(frozenset().union(*stored.values()) - frozenset(data)):
            for artifact in ARTIFACTS:
                folder = (self._path / artifact / version).as_posix()
                if version in stored[artifact]:
                    with storage_errors(folder), suppress(FileNotFoundError):
                        self._fs.rm(folder, recursive=True)


class PublicationDataset(PairModelsDataset):
    """Versions that are made without training, such as the baseline's after a demotion."""

    def save(self, data: tuple[Publication, ...]) -> None:
        """Store each version; StorageError if one could not be written, which does not exist then."""
        for publication in data:
            published = publication.published
            files: dict[str, Any] = {  # The manifest last: a version without one does not exist.
                **{file: getattr(published, artifact) for artifact, file in _FILES.items()},
                "card.json": publication.card,
                "card.md": publication.card_text,
                "manifest.json": published.manifest.model_dump(mode="json"),
            }
            for file, content in files.items():
                if content is not None:
                    self._dataset(file, Version(None, published.manifest.version)).save(content)


class PublishedModelDataset(PairModelsDataset):
    """The champion's manifest and graphs, verified; None where none is published. Read only."""

    def __init__(self, *, pair: str, filepath: str | os.PathLike[str], **kwargs: Any) -> None:
        """Point to the folder of a pair such as ``btc_usdt``; other arguments as for ``PairModelsDataset``."""
        super().__init__(filepath=filepath, **kwargs)
        self._pair = pair

    def load(self) -> Published | None:
        """The champion. One that is damaged or unknown to this release counts as none, so that a run can replace it.

        Raises:
            ArtifactError: The pointer is damaged.
            StorageError: The store failed.
        """
        file = f"{self._folder}/champion.json"
        version = ChampionPointerDataset(pair=self._pair, filepath=file, credentials=self._credentials).load().version
        if version is None:
            return None
        try:
            published = Published.read(self._pair, version, lambda artifact: self._artifact(artifact, version))
            require_features(f"{self._pair} {version}", published.manifest.reads)
        except ArtifactError as exc:
            log.warning("%s; this run goes on as without a champion", exc)
            return None
        return published

    def _artifact(self, artifact: str, version: str) -> Any:
        file = _FILES.get(artifact, "manifest.json")
        try:
            return self._dataset(file, Version(version, None)).read()
        except FileNotFoundError as exc:
            message = f"{self._pair} {version}: {file} of the champion is not stored"
            raise MissingArtifactError(message, "train the pair again or roll back") from exc

    def preview(self) -> JSONPreview:
        """The champion's manifest, for Kedro-Viz."""
        published = self.load()
        return JSONPreview("null" if published is None else published.manifest.model_dump_json())

    def save(self, data: Any) -> NoReturn:  # noqa: ARG002
        """Refuse with a DatasetError."""
        raise DatasetError(f"{self}: read only; save the champion pointer instead")

    def _describe(self) -> dict[str, Any]:
        return {"pair": self._pair, **super()._describe()}
