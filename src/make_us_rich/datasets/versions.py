"""Which versions of a pair's artifacts are stored, and deleting those that are not kept."""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from pathlib import PurePosixPath
from typing import Any

import fsspec
from kedro.io.core import AbstractDataset, DatasetError, get_protocol_and_path

from make_us_rich.datasets.atomic import list_files
from make_us_rich.storage import naming

PUBLISHED = ("manifest.json", "model.onnx", "baseline.onnx", "scaler.pkl", "card.json", "card.md")
"""Artifacts of a published version, in the order of deletion."""


class VersionsDataset(AbstractDataset[Collection[str], tuple[str, ...]]):
    """The stored versions. Loading tells the whole ones; saving the kept ones deletes all others.

    A version is whole when the first artifact has it, which is written last and deleted first.

    Examples:
        ```yaml
        "{pair}.stored_versions":
          type: make_us_rich.datasets.versions.VersionsDataset
          filepath: s3://make-us-rich/06_models/{pair}
          credentials: storage
        ```

        >>> VersionsDataset(filepath="data/06_models/btc_usdt").load()
        ()
    """

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        artifacts: Sequence[str] = PUBLISHED,
        credentials: dict[str, Any] | None = None,
        fs_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Point to a pair's artifacts.

        Args:
            filepath: Folder of the artifacts, each versioned by Kedro: ``model.onnx/<version>/model.onnx``.
            artifacts: File names in the order of deletion, the one that makes a version whole first.
            credentials: Arguments of the filesystem that are secret.
            fs_args: Other arguments of the filesystem.
            metadata: For plugins such as Kedro-Viz.
        """
        self._protocol, stripped = get_protocol_and_path(filepath)
        self._path = PurePosixPath(stripped)
        self._artifacts = tuple(artifacts)
        self._fs = fsspec.filesystem(self._protocol, **deepcopy(credentials or {}), **deepcopy(fs_args or {}))
        self.metadata = metadata

    def load(self) -> tuple[str, ...]:
        """The whole versions, oldest first.

        Raises:
            StorageError: The store failed.
        """
        return tuple(sorted(self._versions()[self._artifacts[0]]))

    def save(self, data: Collection[str]) -> None:
        """Delete every version that is not among these, half-written ones too. Repeating it does no harm.

        Raises:
            DatasetError: The versions are a text and not a collection.
            StorageError: The store failed.
        """
        if isinstance(data, str):
            raise DatasetError(f"{self}: {data!r} is one version; give a collection of all that are kept")
        for folder in self._dropped(frozenset(data)):
            with naming(folder), suppress(FileNotFoundError):
                self._fs.rm(folder, recursive=True)

    def _dropped(self, kept: frozenset[str]) -> Iterator[str]:
        stored = self._versions()
        for version in sorted(frozenset().union(*stored.values()) - kept):
            for artifact in self._artifacts:
                if version in stored[artifact]:
                    yield (self._path / artifact / version).as_posix()

    def _versions(self) -> dict[str, frozenset[str]]:
        files = [file.parts for file in list_files(self._fs, self._path.as_posix())]
        return {
            artifact: frozenset(parts[1] for parts in files if len(parts) == 3 and parts[::2] == (artifact, artifact))
            for artifact in self._artifacts
        }

    def _exists(self) -> bool:
        return bool(self.load())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path, "protocol": self._protocol, "artifacts": self._artifacts}
