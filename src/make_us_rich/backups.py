"""The store in one file, and back: candles, models, pointers, records."""

import io
import re
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from make_us_rich.catalog import open_config
from make_us_rich.config import find_project, store_root
from make_us_rich.datasets.atomic import list_files, read_whole, write_whole
from make_us_rich.domain.errors import ParameterError
from make_us_rich.locks import pair_lock
from make_us_rich.storage import check_storage

_LAYER = re.compile(r"0\d_[a-z_]+")
_POINTER = "champion.json"


class Store:
    """A folder or a bucket, by names relative to its root.

    Args:
        env: Environment.
    """

    def __init__(self, env: str | None) -> None:
        config = open_config(env)
        self.root = store_root(config["globals"]["root"], find_project())
        self.credentials: dict[str, Any] = config["credentials"]["storage"]
        check_storage(self.root, self.credentials)
        self._fs = self._open()
        self._base = self.root.removeprefix("s3://").rstrip("/")

    def _open(self) -> AbstractFileSystem:
        if not self.root.startswith("s3://"):
            return LocalFileSystem()
        import s3fs  # Heavy, and a local store has no bucket.

        return s3fs.S3FileSystem(**self.credentials)

    def names(self) -> list[str]:
        """Every file that the catalog knows; neither locks nor what a killed run has left."""
        return [str(name) for name in list_files(self._fs, self._base) if _belongs(name)]

    def read(self, name: str) -> bytes:
        """A file.

        Raises:
            FileNotFoundError: It is gone.
        """
        return read_whole(self._fs, f"{self._base}/{name}")

    def write(self, name: str, content: bytes) -> None:
        """Replace a file at once."""
        write_whole(self._fs, f"{self._base}/{name}", content)


def _belongs(name: PurePosixPath) -> bool:
    return bool(_LAYER.fullmatch(name.parts[0])) and not name.name.endswith(".part")


def back_up(file: Path, env: str | None = None) -> str:
    """Write everything in the store into one file; runs may go on meanwhile.

    Champion pointers are read first: the versions that they name were there before them, and stay as long as they are
    served. What retention deletes while the backup is made is left out.

    Args:
        file: A tar file, compressed; replaced once it is whole.
        env: Environment.

    Returns:
        What was done, in words.

    Raises:
        ParameterError: The store is empty, or the file cannot be written.
        StorageError: The store failed.
    """
    store = Store(env)
    names = sorted(store.names(), key=lambda name: (not name.endswith(_POINTER), name))
    if not names:
        raise ParameterError(f"{store.root}: there is nothing to back up; look at --env")
    part = file.with_name(f".{file.name}.part")
    try:
        count = _fill(part, store, names)
        part.replace(file)
    except OSError as exc:
        raise ParameterError(f"{file}: {exc.strerror or exc}; name another file") from exc
    finally:
        part.unlink(missing_ok=True)
    return f"{file}: {count} files of {store.root}, {file.stat().st_size / 1e6:.1f} MB"


def _fill(part: Path, store: Store, names: list[str]) -> int:
    count = 0
    with tarfile.open(part, "w:gz", compresslevel=1) as archive:
        for name in names:
            try:
                content = store.read(name)
            except FileNotFoundError:
                continue
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), int(datetime.now(UTC).timestamp())
            archive.addfile(entry, io.BytesIO(content))
            count += 1
    return count


def restore(file: Path, env: str | None = None) -> str:
    """Put back everything that a backup has; what is there beside it stays.

    Champion pointers are written last, so that what is served is whole at every moment. No run may be going on: the
    pairs are held meanwhile.

    Args:
        file: What ``back_up`` has written.
        env: Environment; it may be another than that of the backup, so that a store can move.

    Returns:
        What was done, in words.

    Raises:
        LockedError: A run holds a pair.
        ParameterError: The file is no backup.
        StorageError: The store failed.
    """
    store = Store(env)
    try:
        contents = dict(_contents(file))
    except (OSError, tarfile.TarError, EOFError) as exc:
        raise ParameterError(f"{file}: it is no whole backup ({exc}); name another file") from exc
    with ExitStack() as held:
        for pair in sorted({PurePosixPath(name).parts[1] for name in contents}):
            held.enter_context(pair_lock(store.root, pair, store.credentials))
        for name in sorted(contents, key=lambda name: (name.endswith(_POINTER), name)):
            store.write(name, contents[name])
    return f"{store.root}: {len(contents)} files of {file} are back"


def _contents(file: Path) -> Iterator[tuple[str, bytes]]:
    """The files of a backup; a name that points out of the store is none of ours."""
    with tarfile.open(file, "r:gz") as archive:
        for entry in archive:
            name = PurePosixPath(entry.name)
            content = archive.extractfile(entry)
            if content is None or name.is_absolute() or ".." in name.parts or not _belongs(name):
                raise tarfile.TarError(f"{entry.name} is no file of a store")
            yield str(name), content.read()
