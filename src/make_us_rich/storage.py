"""The store, a folder or a bucket: what its failures mean, and whether it can be used."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fsspec.asyn import AsyncFileSystem, sync

from make_us_rich.domain.errors import MakeUsRichError, StorageError

_ERRNOS: dict[int, str] = {
    errno.ENOENT: "there is no such file; run the pair again, or correct the path",
    errno.EACCES: "permission denied; give this user read and write access to it",
    errno.EPERM: "permission denied; give this user read and write access to it",
    errno.EROFS: "the disk is mounted read-only; mount it writable",
    errno.ENOSPC: "the disk is full; free some space and run again",
    errno.EDQUOT: "the disk quota is used up; free some space and run again",
    errno.EFBIG: "the file is larger than this user may write; raise the limit (ulimit -f)",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
    errno.ENOTDIR: "a part of the path is a file, not a folder; move that file away",
    errno.EEXIST: "a file is where a folder should be; move that file away",
    errno.EISDIR: "a folder is where a file should be; move that folder away",
    errno.EIO: "the disk failed to read or write; check it",
    errno.EBUSY: "the store is busy; run again in a minute",
}

_WRONG_KEY = "the store refuses the access key or its secret; correct the credentials"
_NO_ACCESS = "the store denies access with these credentials; grant them read and write on the bucket"
_NO_BUCKET = "the bucket does not exist; create it (docs/storage.md) or correct its name"

_S3_CODES: dict[str, str] = {
    "InvalidAccessKeyId": _WRONG_KEY,
    "SignatureDoesNotMatch": _WRONG_KEY,
    "ExpiredToken": _WRONG_KEY,
    "InvalidToken": _WRONG_KEY,
    "AccessDenied": _NO_ACCESS,
    "403": _NO_ACCESS,
    "NoSuchBucket": _NO_BUCKET,
    "InvalidBucketName": "no bucket can have this name; correct it",
    "NoSuchKey": "there is no such object; run the pair again, or correct the path",
    "404": "there is no such object or bucket; run the pair again, or correct the path",
    "RequestTimeTooSkewed": "this machine's clock is wrong; set it",
    "SlowDown": "the store is busy; run again in a minute",
    "ServiceUnavailable": "the store is busy; run again in a minute",
    "InternalError": "the store failed; look at its log and run again",
    "QuotaExceeded": "the store is full; free some space and run again",
    "XMinioStorageFull": "the store is full; free some space and run again",
}

_UNREACHABLE = "the store does not answer; start it or correct its address (endpoint)"
_GONE = "the store stopped answering half-way; nothing was replaced, run again once it is back"
_NO_KEY = "no access key for the store; set the credentials' key and secret"

_CLIENT_ERRORS: dict[str, str] = {
    "EndpointConnectionError": _UNREACHABLE,
    "ConnectTimeoutError": _UNREACHABLE,
    "ClientConnectorError": _UNREACHABLE,
    "ConnectionRefusedError": _UNREACHABLE,
    "ReadTimeoutError": _GONE,
    "ConnectionClosedError": _GONE,
    "ServerDisconnectedError": _GONE,
    "ClientPayloadError": _GONE,
    "ResponseStreamingError": _GONE,
    "ClientOSError": _GONE,
    "FSTimeoutError": _GONE,
    "SSLError": "the store's certificate is not accepted; correct the endpoint (http or https)",
    "NoCredentialsError": _NO_KEY,
    "PartialCredentialsError": _NO_KEY,
    "ParamValidationError": "the store's address has a wrong form; write s3://bucket/folder",
}
"""Exceptions of botocore, aiohttp and fsspec by class name, so that a local run need not import them."""


def explain(exc: BaseException) -> str | None:
    """Say in one line what went wrong and what to do, or None where it is no failure of the store.

    One of our own errors anywhere in the chain of causes speaks for itself.
    """
    own = own_error(exc)
    if own is not None:
        return " ".join(str(own).split())
    failed, line = _first_line([*_causes(exc)])
    name = getattr(failed, "filename", None) or _address(failed)
    return f"{name}: {line}" if line and name else line


def _address(exc: BaseException | None) -> str | None:
    """Where a botocore error was going, without its query, which may hold a signature."""
    known = getattr(exc, "kwargs", None)
    return str(known["endpoint_url"]).split("?")[0] if isinstance(known, dict) and "endpoint_url" in known else None


def own_error(exc: BaseException) -> MakeUsRichError | None:
    """The outermost of our own errors in a chain of causes, such as the one inside Kedro's DatasetError."""
    return next((link for link in _causes(exc) if isinstance(link, MakeUsRichError)), None)


def _first_line(chain: list[BaseException]) -> tuple[BaseException | None, str | None]:
    return next(((link, line) for link in chain if (line := _line(link))), (None, None))


def _causes(exc: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = exc
    while link is not None and id(link) not in seen:
        yield link
        seen.add(id(link))
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _line(exc: BaseException) -> str | None:
    code = s3_code(exc) or (s3_code(exc.__cause__) if exc.__cause__ else None)
    if code in _S3_CODES:
        return _S3_CODES[code]
    if type(exc).__name__ in _CLIENT_ERRORS:
        return _CLIENT_ERRORS[type(exc).__name__]
    if type(exc).__name__ in _OTHERS:
        return _OTHERS[type(exc).__name__](exc)
    return _ERRNOS.get(exc.errno or 0) if isinstance(exc, OSError) else None


def _configuration_line(exc: BaseException) -> str:
    """OmegaConf keeps no cause of a resolver's error, only its text, between this phrase and the key."""
    return str(exc).split("raised while resolving interpolation: ")[-1].splitlines()[0]


def _syntax_line(exc: BaseException) -> str:
    return f"{str(exc).splitlines()[0].rstrip('.')}; correct its syntax"


def _record_line(exc: BaseException) -> str:
    """A stored record that its Pydantic model refuses; parameters are checked before anything is loaded."""
    kind, what = getattr(exc, "title", "record"), " ".join(str(exc).splitlines()[1:3])
    return f"a stored {kind} is damaged ({what}); run the pair again, with all of its stages"


def _tracking_line(exc: BaseException) -> str:
    what = str(exc).splitlines()[0][:200]
    return f"MLflow cannot record the run ({what}); mend its store: the disk, or the server at MLFLOW_TRACKING_URI"


def _dataset_line(exc: BaseException) -> str | None:
    """Kedro's PartitionedDataset has no FileNotFoundError as its cause, only this text; other errors have theirs."""
    what = str(exc)
    return f"{what}; run the pair again, with the stages before this one" if what.startswith(_NO_PARTITIONS) else None


_NO_PARTITIONS = "No partitions found in"

_OTHERS: dict[str, Callable[[BaseException], str | None]] = {
    "DatasetError": _dataset_line,
    "InterpolationResolutionError": _configuration_line,
    "ParserError": _syntax_line,
    "ValidationError": _record_line,
    "MlflowException": _tracking_line,
    "OperationalError": _tracking_line,
}
"""Exceptions of Kedro, OmegaConf, PyYAML, Pydantic, MLflow and SQLAlchemy by class name, likewise."""


def s3_code(exc: BaseException) -> str | None:
    """The S3 error code, such as ``NoSuchKey``, that a botocore ClientError carries."""
    response = getattr(exc, "response", None)
    return response.get("Error", {}).get("Code") if isinstance(response, dict) else None


@contextmanager
def naming(path: str, *, absent: bool = False) -> Iterator[None]:
    """Raise the store's failures as a StorageError that names the path.

    Args:
        path: What is read or written.
        absent: Let the FileNotFoundError of a store that answers pass. A missing bucket is no such answer.

    Raises:
        StorageError: The store failed; the original error is its cause.
    """
    try:
        yield
    except MakeUsRichError:
        raise
    except FileNotFoundError as exc:
        if absent and (exc.__cause__ is None or s3_code(exc.__cause__) != "NoSuchBucket"):
            raise FileNotFoundError(errno.ENOENT, "no such file", path) from exc
        raise StorageError(f"{path}: {_first_line([*_causes(exc)])[1]}") from exc
    except Exception as exc:
        _, line = _first_line(list(_causes(exc)))
        if line is None:
            raise
        raise StorageError(f"{path}: {line}") from exc


def ask(fs: AsyncFileSystem, request: Callable[..., Any], *args: Any, seconds: float = 60.0, **kwargs: Any) -> Any:
    """Wait for a bucket's answer to a request that sends data, but not for ever.

    The client's own limits do not cover its waiting for leave to send the body (``100 Continue``), so that a
    store which accepts connections and no longer answers would hold a run for good.

    Raises:
        FSTimeoutError: There was none in time.
    """
    return sync(fs.loop, request, *args, timeout=seconds, **kwargs)


def check_storage(root: str, credentials: dict[str, Any] | None = None) -> None:
    """Find out within seconds whether a store can be used; cheap enough for a readiness probe.

    Args:
        root: Folder, or address such as ``s3://bucket/folder``.
        credentials: Arguments of the filesystem, as in credentials.yml.

    Raises:
        StorageError: It cannot; in one line that names the store and the remedy, and never a secret.
    """
    if root.startswith("s3://"):
        _check_bucket(root, credentials or {})
    else:
        _check_folder(Path(root))


def _check_folder(folder: Path) -> None:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not existing.is_dir():
        raise StorageError(f"{existing}: {_ERRNOS[errno.EEXIST]}")
    if not os.access(existing, os.R_OK | os.W_OK | os.X_OK):
        raise StorageError(f"{existing}: {_ERRNOS[errno.EACCES]}")


def _check_bucket(root: str, credentials: dict[str, Any]) -> None:
    import s3fs  # Heavy, and a local run has no bucket.

    bucket = root.removeprefix("s3://").split("/")[0]
    endpoint = (credentials.get("client_kwargs") or {}).get("endpoint_url") or "AWS"
    limits = {"connect_timeout": 1, "read_timeout": 2, "retries": {"max_attempts": 0}}
    config = {**(credentials.get("config_kwargs") or {}), **limits}
    with naming(f"{root} at {endpoint}"):
        fs = s3fs.S3FileSystem(**{**credentials, "config_kwargs": config}, skip_instance_cache=True)
        fs.retries = 1
        # A listing answers with an error code; a HEAD of the bucket has no body to carry one.
        fs.call_s3("list_objects_v2", Bucket=bucket, MaxKeys=1)
