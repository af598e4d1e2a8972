"""One run a pair: a kernel lock beside a local store, a lease in a bucket."""

import fcntl
import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Any, Protocol

from make_us_rich.domain.errors import LockedError
from make_us_rich.storage import ask, explain, naming, s3_code

RENEW_SECONDS = 20.0
STALE_SECONDS = 60.0

_CONDITION_FAILED = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409", "NoSuchKey"}

_log = logging.getLogger(__name__)


class Held(Protocol):
    """A lock that this run holds."""

    def check(self) -> None:
        """Make sure that it is still held; to be called before publishing.

        Raises:
            LockedError: Another run may have taken it over.
        """


def pair_lock(
    root: str,
    pair: str,
    credentials: dict[str, Any] | None = None,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    renew: float = RENEW_SECONDS,
    stale: float = STALE_SECONDS,
) -> AbstractContextManager[Held]:
    """Hold a pair for one run, or refuse at once.

    Args:
        root: The store: a folder, or an address such as ``s3://bucket/folder``.
        pair: Name such as ``btc_usdt``.
        credentials: Arguments of the filesystem, as in credentials.yml.
        now: The clock for what the message says, UTC.
        renew: Seconds between the renewals of a lease.
        stale: Seconds after which a lease that was not renewed may be taken over. By the store's clock.

    Raises:
        LockedError: Another run holds it.
        StorageError: The store failed.
    """
    if root.startswith("s3://"):
        return _lease(f"{root.rstrip('/')}/.locks/{pair}.json", pair, credentials or {}, now(), (renew, stale))
    return _file_lock(Path(root) / ".locks" / f"{pair}.lock", pair, now())


def _refusal(pair: str, holder: dict[str, Any]) -> LockedError:
    who = f"process {holder.get('process', 'unknown')}"
    since = f"since {holder.get('since', 'just now')}"
    return LockedError(f"{pair}: another run ({who}, {since}) holds it; wait for it to end")


def _holder(since: datetime) -> dict[str, Any]:
    return {"process": os.getpid(), "host": os.uname().nodename, "since": f"{since:%H:%M:%S} UTC"}


@contextmanager
def _file_lock(path: Path, pair: str, since: datetime) -> Iterator[Held]:
    with naming(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    with file:
        _take(file, pair)
        file.truncate(0)
        file.write(json.dumps(_holder(since)))
        file.flush()
        yield _KernelLock()


class _KernelLock:
    """Held until the file is closed; the kernel closes it for a killed process."""

    def check(self) -> None:
        """It cannot be lost."""


def _take(file: IO[str], pair: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        file.seek(0)
        raise _refusal(pair, _record(file.read())) from exc


def _record(text: str | bytes) -> dict[str, Any]:
    """Who holds a lock; empty while the holder is still writing it."""
    try:
        record = json.loads(text)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


@contextmanager
def _lease(
    path: str, pair: str, credentials: dict[str, Any], since: datetime, seconds: tuple[float, float]
) -> Iterator[Held]:
    lease = _Lease(path, pair, credentials, _holder(since), *seconds)
    lease.take()
    done = threading.Event()
    renewal = threading.Thread(target=lease.keep, args=(done,), name=f"lease {pair}", daemon=True)
    renewal.start()
    try:
        yield lease
    finally:
        done.set()
        renewal.join()
        lease.give_back()


class _Lease:
    """An object that only one run can create, and only its holder, or whoever finds it stale, can replace."""

    def __init__(
        self,
        path: str,
        pair: str,
        credentials: dict[str, Any],
        record: dict[str, Any],
        renew: float,
        stale: float,
    ) -> None:
        import s3fs  # Heavy, and a local run has no bucket.

        self._fs = s3fs.S3FileSystem(**credentials)
        self._path, self._pair, self._record = path, pair, record
        self._renew, self._stale = renew, stale
        bucket, key, _ = self._fs.split_path(path)
        self._object = {"Bucket": bucket, "Key": key}
        self._tag = ""
        self._renewed = 0.0

    def take(self) -> None:
        """Create the lease, or take over a stale one.

        Raises:
            LockedError: It is held.
            StorageError: The store failed.
        """
        with naming(self._path):
            if not self._put(IfNoneMatch="*"):
                self._take_over()

    def _take_over(self) -> None:
        held = self._head()
        if held is None:
            taken = self._put(IfNoneMatch="*")
        else:
            taken = _age(held) > self._stale and self._put(IfMatch=held["ETag"])
        if not taken:
            raise _refusal(self._pair, self._holder())

    def keep(self, done: threading.Event) -> None:
        """Renew until done; a failed renewal is tried again, for as long as the lease may still be held."""
        while not done.wait(self._renew):
            try:
                if not self._put(IfMatch=self._tag):
                    self._renewed = -math.inf
                    return
            except Exception as exc:  # Whatever it is, check() finds out whether the lease outlived it.
                _log.warning("%s: the lease was not renewed: %s", self._pair, explain(exc) or exc)

    def check(self) -> None:
        """Make sure that the lease cannot have been taken over.

        Raises:
            LockedError: It was not renewed in time.
        """
        if time.monotonic() - self._renewed > self._stale:
            raise LockedError(
                f"{self._pair}: the lease was not renewed for {self._stale:.0f} s;"
                " another run may hold the pair, so run it again"
            )

    def give_back(self) -> None:
        """Delete the lease if it is still ours; one that cannot be deleted goes stale by itself."""
        try:
            held = self._head()
            if held is not None and held["ETag"] == self._tag:
                self._fs.call_s3("delete_object", **self._object)
        except Exception as exc:  # The run has succeeded or failed already, and that is what must be told.
            _log.warning("%s: the lease was not given back: %s", self._pair, explain(exc) or exc)

    def _put(self, **condition: str) -> bool:
        # A renewal must change the ETag, which is a hash of the content.
        body = json.dumps({**self._record, "written": time.time_ns()}).encode()
        asked = time.monotonic()
        try:
            answer = ask(
                self._fs,
                self._fs._call_s3,
                "put_object",
                seconds=self._renew,
                **self._object,
                Body=body,
                **condition,
            )
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

    def _holder(self) -> dict[str, Any]:
        try:
            return _record(self._fs.cat_file(self._path, max_concurrency=1))
        except FileNotFoundError:
            return {}


def _age(held: dict[str, Any]) -> float:
    """Seconds since the last renewal, by the store's clock alone: two machines' clocks may differ."""
    asked = parsedate_to_datetime(held["ResponseMetadata"]["HTTPHeaders"]["date"])
    age: float = (asked - held["LastModified"]).total_seconds()
    return age
