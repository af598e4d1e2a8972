"""Atomic files: a save that fails, or is killed, leaves the old file."""

import glob
import io
import os
import pickle
import threading
from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from kedro.io import AbstractVersionedDataset, Version
from kedro.io.core import get_protocol_and_path

from make_us_rich.domain.errors import ArtifactError
from make_us_rich.storage import call_bucket, storage_errors

_DAMAGED = (ValueError, OSError, EOFError, pickle.UnpicklingError, LookupError, AttributeError, ImportError, TypeError)
"""What decoding raises; the last three for a pickle of another release, whose classes have moved or changed."""


def write_whole(fs: AbstractFileSystem, path: str, encode: Callable[[BinaryIO], object]) -> None:
    """Replace a file at once: by a rename on a disk, by one put (or a completed upload) in a bucket.

    Args:
        fs: The store.
        path: The file.
        encode: Writes the content: straight to a disk, since a second copy of a backtest takes 70 MB.

    Raises:
        StorageError: It could not be written; the old file, if any, is untouched.
    """
    with storage_errors(path):
        if isinstance(fs, LocalFileSystem):
            _replace(Path(path), encode)
        else:
            encode(content := io.BytesIO())
            call_bucket(fs, fs._pipe_file, path, content.getvalue())


def open_whole(fs: AbstractFileSystem, path: str) -> BinaryIO:
    """Open a file to read it.

    Raises:
        FileNotFoundError: The store answers, and has no such file.
        StorageError: The store does not answer, denies access, or its bucket is missing.
    """
    with storage_errors(path, absent=True):
        if isinstance(fs, LocalFileSystem):
            return Path(path).open("rb")
        # Without concurrency s3fs asks no HEAD first, whose bare 404 hides a missing bucket.
        return io.BytesIO(fs.cat_file(path, max_concurrency=1))


def list_files(fs: AbstractFileSystem, path: str) -> list[PurePosixPath]:
    """Files anywhere below a folder, relative to it, freshly asked for; none where there is no such folder.

    Raises:
        StorageError: The store does not answer, denies access, or its bucket is missing.
    """
    with suppress(FileNotFoundError), storage_errors(path, absent=True):
        fs.invalidate_cache(path)
        # Not by their folders: some S3 servers list a folder for a while after its last object is gone.
        found = fs.find(path, on_error="raise") if isinstance(fs, LocalFileSystem) else fs.find(path)
        return [PurePosixPath(name).relative_to(fs._strip_protocol(path)) for name in found]
    return []


def _replace(target: Path, encode: Callable[[BinaryIO], object]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f".{glob.escape(target.name)}.*.*.part"):  # by killed runs
        with suppress(PermissionError, ValueError):  # Another user's process lives; it is no part of ours.
            try:
                os.kill(int(left.name.split(".")[-3]), 0)
            except ProcessLookupError:
                left.unlink(missing_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_native_id()}.part")
    try:
        with part.open("wb") as file:
            encode(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # Else the rename may not survive a power cut.
    finally:
        os.close(folder)


class AtomicDataset(AbstractVersionedDataset[Any, Any]):
    """One file that is whole or absent; a format says how its data are encoded."""

    REMEDY = "delete it and run the pair again"
    """What to do about a damaged file."""
    _empty: Callable[[], Any] | None = None
    """Makes what is loaded where the store has no such file; None where that is an error."""

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        version: Version | None = None,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Point to a path, or an address such as ``s3://bucket/model.onnx``; ``credentials`` are its filesystem's.

        ``version`` is None when the file is not versioned; ``metadata`` is for plugins such as Kedro-Viz.
        """
        protocol, path = get_protocol_and_path(filepath, version)
        self._credentials = credentials or {}
        self._fs = fsspec.filesystem(protocol, **deepcopy(self._credentials))  # s3fs changes its arguments.
        self._saved_version: str | None = None
        self.metadata = metadata
        super().__init__(PurePosixPath(path), version, self._fs.exists, self._fs.glob)

    @abstractmethod
    def _encode(self, data: Any, file: BinaryIO) -> None: ...

    @abstractmethod
    def _decode(self, file: BinaryIO) -> Any: ...

    def load(self) -> Any:
        """Read the file; ArtifactError if it is damaged, StorageError if the store failed."""
        try:
            return self.read()
        except FileNotFoundError:
            if self._empty is None:
                raise
            return self._empty()

    def read(self) -> Any:
        """As ``load``, without Kedro's DatasetError around other errors; FileNotFoundError if it is not stored."""
        with self.open() as file:
            try:
                return self._decode(file)
            except _DAMAGED as exc:
                raise ArtifactError(f"{self._get_load_path()}: the file is damaged ({exc})", self.REMEDY) from exc

    def open(self) -> BinaryIO:
        """Open the file as it is stored; FileNotFoundError if it is not, StorageError if the store failed."""
        return open_whole(self._fs, self._get_load_path().as_posix())

    def save(self, data: Any) -> None:
        """Replace the file, after all of the data could be encoded; StorageError if it could not be written."""
        path = self._get_save_path().as_posix()
        write_whole(self._fs, path, partial(self._encode, data))
        self._fs.invalidate_cache(path)
        self._saved_version = self.resolve_save_version()

    def resolve_load_version(self) -> str | None:
        """The version that this run has saved; Kedro would load the newest name, such as one of a wrong clock."""
        return self._saved_version or super().resolve_load_version()

    def _exists(self) -> bool:
        return bool(self._fs.exists(self._get_load_path().as_posix()))

    def _release(self) -> None:
        super()._release()
        self._fs.invalidate_cache(self._filepath.as_posix())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version}
