"""Locks on pairs and on the files of datasets: the kernel's in a folder, a lease in a bucket."""

import fcntl
import json
import logging
import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from copy import deepcopy
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem
from kedro.io import DataCatalog

from make_us_rich.domain.errors import LockedError, MakeUsRichError, StorageError
from make_us_rich.storage import call_bucket, explain, s3_code, storage_errors

RENEW_SECONDS = 20.0
STALE_SECONDS = 60.0
FILE_SECONDS = 3.0
"""The longest wait for a file that another process holds."""

_CONDITION_FAILED = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409", "NoSuchKey"}

_log = logging.getLogger(__name__)


class HeldLock:
    """A lock on a pair that this run holds."""

    def check(self) -> None:
        """Make sure that the lock is still held; called before publishing. The kernel's lock cannot be lost.

        Raises:
            LockedError: Another run may have taken it over.
        """


@contextmanager
def pair_lock(
    root: str,
    pair: str,
    credentials: dict[str, Any] | None = None,
    *,
    renew: float = RENEW_SECONDS,
    stale: float = STALE_SECONDS,
) -> Iterator[HeldLock]:
    """Hold a pair for one run, or refuse at once.

    Args:
        root: The store: a folder, or an address such as ``s3://bucket/folder``.
        pair: Name such as ``btc_usdt``.
        credentials: Arguments of the filesystem, as in credentials.yml.
        renew: Seconds between the renewals of a lease.
        stale: Seconds after which a lease that was not renewed may be taken over.

    Raises:
        LockedError: Another run holds it.
        StorageError: The store failed.
    """
    if root.startswith("s3://"):
        lease = _Lease(f"{root.rstrip('/')}/.locks/{pair}.json", pair, credentials or {}, renew, stale)
        lease.acquire()
        try:
            yield lease
        finally:
            lease.release()
        return
    path = Path(root) / ".locks" / f"{pair}.lock"
    with storage_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    with file:  # The kernel closes the file of a killed process, too.
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            holder: dict[str, str] = {}
            with suppress(ValueError):  # It is still writing.
                holder = json.loads(path.read_bytes())
            raise _refusal(pair, holder) from exc
        file.truncate(0)
        file.write(json.dumps(_describe_holder()))
        file.flush()
        yield HeldLock()


@contextmanager
def file_lock(catalog: DataCatalog, name: str) -> Iterator[None]:
    """Hold the file of a dataset while it is loaded, changed and saved; its lock is in the same folder.

    A file that cannot be locked within ``FILE_SECONDS`` is used all the same, since its user must not fail for that.
    """
    dataset: Any = catalog[name]
    path, fs = dataset._filepath, dataset._fs
    folder = path.parent.as_posix()
    root = folder if isinstance(fs, LocalFileSystem) else fs.unstrip_protocol(folder)
    credentials = deepcopy(dataset._credentials)  # With the same ones, s3fs gives the client of the dataset.
    deadline = time.monotonic() + FILE_SECONDS
    with ExitStack() as held:
        while True:
            try:
                # Of a killed process the lease is stale soon; a request must end within the renewal's interval.
                held.enter_context(pair_lock(root, path.stem, credentials, renew=5, stale=15))
                break
            except (LockedError, StorageError) as exc:
                if isinstance(exc, StorageError) or time.monotonic() >= deadline:
                    _log.warning("%s: used without its lock: %s", name, exc)
                    break
            time.sleep(0.2)
        yield


def _refusal(pair: str, holder: dict[str, str]) -> LockedError:
    who = f"process {holder.get('process', 'unknown')}, since {holder.get('since', 'just now')}"
    return LockedError(f"{pair}: another run ({who}) holds it", "wait for it to end")


def _describe_holder() -> dict[str, str]:
    since = f"{datetime.now(UTC):%H:%M:%S} UTC"
    return {"process": str(os.getpid()), "host": os.uname().nodename, "since": since}


class _Lease(HeldLock):
    """An object that one run can create, and only its holder, or a run that finds it stale, can replace."""

    def __init__(self, path: str, pair: str, credentials: dict[str, Any], renew: float, stale: float) -> None:
        import s3fs  # Heavy, and a local run has no bucket.

        self._fs = s3fs.S3FileSystem(**credentials)
        self._path, self._pair = path, pair
        self._interval, self._stale = renew, stale
        bucket, key, _ = self._fs.split_path(path)
        self._object = {"Bucket": bucket, "Key": key}
        self._holder = _describe_holder()
        self._tag = ""
        self._renewed = 0.0
        self._done = threading.Event()
        self._renewal = threading.Thread(target=self._renew, name="lease", daemon=True)

    def acquire(self) -> None:
        """Create the lease, or take over a stale one, and begin to renew it.

        Raises:
            LockedError: It is held.
            StorageError: The store failed.
        """
        with storage_errors(self._path):
            if not self._put(IfNoneMatch="*"):
                held = self._head()
                if held is None:
                    taken = self._put(IfNoneMatch="*")
                else:
                    # By the store's clock: those of two machines may differ.
                    now = parsedate_to_datetime(held["ResponseMetadata"]["HTTPHeaders"]["date"])
                    age = (now - held["LastModified"]).total_seconds()
                    taken = age > self._stale and self._put(IfMatch=held["ETag"])
                if not taken:
                    raise _refusal(self._pair, held["Metadata"] if held else {})
        self._renewal.start()

    def check(self) -> None:
        """Make sure that the lease cannot have been taken over.

        Raises:
            LockedError: It was not renewed in time.
        """
        if time.monotonic() - self._renewed > self._stale:
            message = f"{self._pair}: the lease was not renewed for {self._stale:.0f} s"
            raise LockedError(message, "another run may hold the pair, so run it again")

    def release(self) -> None:
        """Delete the lease if it is still ours; else it goes stale."""
        self._done.set()
        self._renewal.join()
        try:
            held = self._head()
            if held is not None and held["ETag"] == self._tag:
                self._fs.call_s3("delete_object", **self._object)
        except MakeUsRichError:  # No answer of the store: a signal that stops the run.
            raise
        except Exception as exc:  # The result of the run matters more.
            _log.warning("%s: the lease was not released: %s", self._pair, explain(exc) or exc)

    def _renew(self) -> None:
        """Renew the lease until done; a failed renewal is repeated."""
        while not self._done.wait(self._interval):
            try:
                if not self._put(IfMatch=self._tag):
                    self._renewed = -math.inf
                    return
            except Exception as exc:  # check() finds out whether the lease outlived it.
                _log.warning("%s: the lease was not renewed: %s", self._pair, explain(exc) or exc)

    def _put(self, **condition: str) -> bool:
        # A renewal must change the ETag, which is a hash of the content.
        request = {**self._object, "Body": str(time.time_ns()).encode(), "Metadata": self._holder, **condition}
        asked = time.monotonic()
        try:
            answer = call_bucket(self._fs, self._fs._call_s3, "put_object", seconds=self._interval, **request)
        except OSError as exc:
            if s3_code(exc.__cause__ or exc) in _CONDITION_FAILED:
                return False
            raise
        self._tag, self._renewed = answer["ETag"], asked
        return True

    def _head(self) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = self._fs.call_s3("head_object", **self._object)
        except FileNotFoundError:
            return None
        return answer
