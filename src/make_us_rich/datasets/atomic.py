"""Files that are whole or absent: a save that fails, or is killed, leaves the old file."""

import glob
import io
import json
import os
import pickle
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
from fsspec import AbstractFileSystem
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.local import LocalFileSystem
from kedro.io.core import get_filepath_str
from kedro_datasets._typing import TablePreview
from kedro_datasets.json import json_dataset
from kedro_datasets.pandas import parquet_dataset
from kedro_datasets.pickle import pickle_dataset

from make_us_rich.domain.errors import ArtifactError
from make_us_rich.storage import ask, naming

_DAMAGED = (ValueError, OSError, EOFError, pickle.UnpicklingError, LookupError, AttributeError, ImportError, TypeError)
"""What decoding raises; the last three for a pickle of another release, whose classes have moved or changed."""


def write_whole(fs: AbstractFileSystem, path: str, content: bytes) -> None:
    """Replace a file at once: by a rename on a disk, by one put (or a completed upload) in a bucket.

    Raises:
        StorageError: It could not be written; the old file, if any, is untouched.
    """
    with naming(path):
        if isinstance(fs, LocalFileSystem):
            _replace(Path(path), content)
        elif isinstance(fs, AsyncFileSystem):
            ask(fs, fs._pipe_file, path, content)
        else:
            fs.pipe_file(path, content)


def read_whole(fs: AbstractFileSystem, path: str) -> bytes:
    """Read a file.

    Raises:
        FileNotFoundError: The store answers, and has no such file.
        StorageError: The store does not answer, denies access, or its bucket is missing.
    """
    with naming(path, absent=True):
        return _bytes(fs, path)


def list_files(fs: AbstractFileSystem, path: str) -> list[PurePosixPath]:
    """Files anywhere below a folder, relative to it, freshly asked for; none where there is no such folder.

    Raises:
        StorageError: The store does not answer, denies access, or its bucket is missing.
    """
    with suppress(FileNotFoundError), naming(path, absent=True):
        fs.invalidate_cache(path)
        # Not by their folders: some S3 servers list a folder for a while after its last object is gone.
        return [PurePosixPath(name).relative_to(path) for name in _walk(fs, path)]
    return []


def _walk(fs: AbstractFileSystem, path: str) -> list[str]:
    if not isinstance(fs, LocalFileSystem):
        return [str(name) for name in fs.find(path)]
    return [f"{folder}/{name}" for folder, _, names in os.walk(path, onerror=_fail) for name in names]


def _fail(exc: OSError) -> None:
    raise exc


def _bytes(fs: AbstractFileSystem, path: str) -> bytes:
    if isinstance(fs, LocalFileSystem):
        return Path(path).read_bytes()
    # Without concurrency s3fs asks no HEAD first, whose bare 404 hides a missing bucket.
    content: bytes = fs.cat_file(path, max_concurrency=1)
    return content


def _replace(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    part = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_native_id()}.part")
    try:
        _write_through(part, content)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync(target.parent)


def _write_through(part: Path, content: bytes) -> None:
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(target: Path) -> None:
    """Remove what killed runs left beside a target."""
    for part in target.parent.glob(f".{glob.escape(target.name)}.*.*.part"):
        pid = part.name.split(".")[-3]
        if pid.isdecimal() and not _alive(int(pid)):
            part.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class WholeFile(ABC):
    """Loads and saves one file as a whole; mixed into a kedro dataset before its own class."""

    REMEDY = "delete it and run the pair again"
    """What to do about a damaged file."""

    _fs: AbstractFileSystem
    _protocol: str

    @abstractmethod
    def encode(self, data: Any) -> bytes:
        """The file's content."""

    @abstractmethod
    def decode(self, content: bytes) -> Any:
        """The data in a file."""

    def load(self) -> Any:
        """Read the file.

        Raises:
            ArtifactError: It is damaged.
            StorageError: The store failed.
        """
        path = self._path(self._get_load_path())  # type: ignore[attr-defined]
        try:
            content = read_whole(self._fs, path)
        except FileNotFoundError as exc:
            return self.absent(exc)
        try:
            return self.decode(content)
        except _DAMAGED as exc:
            raise ArtifactError(f"{path}: the file is damaged ({exc}); {self.REMEDY}") from exc

    def absent(self, exc: FileNotFoundError) -> Any:
        """What is loaded where the store answers that there is no such file: an error, unless a dataset may be empty.

        Raises:
            FileNotFoundError: The store's own.
        """
        raise exc

    def save(self, data: Any) -> None:
        """Replace the file, after all of the data could be encoded.

        Raises:
            StorageError: It could not be written.
        """
        content = self.encode(data)
        path = self._path(self._get_save_path())  # type: ignore[attr-defined]
        write_whole(self._fs, path, content)
        self._fs.invalidate_cache(path)

    def _path(self, path: PurePosixPath) -> str:
        return get_filepath_str(path, self._protocol)


class ParquetDataset(WholeFile, parquet_dataset.ParquetDataset):  # type: ignore[misc]
    """A frame in a Parquet file that is whole or absent.

    Examples:
        ```yaml
        btc_usdt.klines:
          type: make_us_rich.datasets.atomic.ParquetDataset
          filepath: data/02_intermediate/btc_usdt/klines.parquet
          credentials: storage
        ```

        >>> ParquetDataset(filepath="klines.parquet").save(frame)
    """

    def encode(self, data: pd.DataFrame) -> bytes:
        """Parquet bytes of the frame."""
        buffer = io.BytesIO()
        data.to_parquet(buffer, **self._save_args)
        return buffer.getvalue()

    def decode(self, content: bytes) -> pd.DataFrame:
        """The frame in Parquet bytes."""
        return pd.read_parquet(io.BytesIO(content), **self._load_args)

    def preview(self, nrows: int = 5) -> TablePreview:
        """The first rows, for Kedro-Viz; from a bucket too."""
        return TablePreview(self.load().head(nrows).to_dict(orient="split"))


class JSONDataset(WholeFile, json_dataset.JSONDataset):  # type: ignore[misc]
    """A record in a JSON file that is whole or absent.

    Examples:
        ```yaml
        btc_usdt.split:
          type: make_us_rich.datasets.atomic.JSONDataset
          filepath: data/05_model_input/btc_usdt/split.json
          credentials: storage
        ```

        >>> JSONDataset(filepath="split.json").save({"rows": 8760})
    """

    def encode(self, data: Any) -> bytes:
        """JSON text in UTF-8."""
        return json.dumps(data, **self._save_args).encode()

    def decode(self, content: bytes) -> Any:
        """The record in JSON text."""
        return json.loads(content)


class PickleDataset(WholeFile, pickle_dataset.PickleDataset):  # type: ignore[misc]
    """An object in a pickle that is whole or absent.

    Examples:
        ```yaml
        btc_usdt.scalers:
          type: make_us_rich.datasets.atomic.PickleDataset
          filepath: data/05_model_input/btc_usdt/scalers.pkl
          credentials: storage
        ```

        >>> PickleDataset(filepath="scalers.pkl").save(scalers)
    """

    def encode(self, data: Any) -> bytes:
        """Pickled bytes."""
        return pickle.dumps(data, **self._save_args)

    def decode(self, content: bytes) -> Any:
        """The pickled object. Only our own store is read: a pickle can run code."""
        return pickle.loads(content, **self._load_args)  # noqa: S301
