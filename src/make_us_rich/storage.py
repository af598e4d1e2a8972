"""The store (a folder or a bucket): error messages with remedies, and a check that it can be used."""

import errno
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fsspec.asyn import AsyncFileSystem, sync
from pydantic import ValidationError

from make_us_rich.domain.errors import MakeUsRichError, StorageError

_ERRNOS: dict[int, str] = {
    errno.ENOENT: "there is no such file; run the pair again, or correct the path",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "permission denied; give this user read and write access to it"),
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

_S3_CODES: dict[str, str] = {
    **dict.fromkeys(
        ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"),
        "the store refuses the access key or its secret; correct the credentials",
    ),
    **dict.fromkeys(
        ("AccessDenied", "403"),
        "the store denies access with these credentials; grant them read and write on the bucket",
    ),
    "NoSuchBucket": "the bucket does not exist; create it (docs/publishing.md) or correct its name",
    "InvalidBucketName": "no bucket can have this name; correct it",
    "NoSuchKey": "there is no such object; run the pair again, or correct the path",
    "404": "there is no such object or bucket; run the pair again, or correct the path",
    "RequestTimeTooSkewed": "this machine's clock is wrong; set it",
    **dict.fromkeys(("SlowDown", "ServiceUnavailable"), "the store is busy; run again in a minute"),
    "InternalError": "the store failed; look at its log and run again",
    **dict.fromkeys(("QuotaExceeded", "XMinioStorageFull"), "the store is full; free some space and run again"),
}

_UNREACHABLE = "the store does not answer; start it or correct its address (endpoint)"
_GONE = "the store stopped answering half-way; nothing was replaced, run again once it is back"
_NO_KEY = "no credentials for the store; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use a profile or role"
_NO_RECORD = "MLflow cannot record the run ({:.200}); repair its store: the disk, or MLFLOW_TRACKING_URI"
_ENDPOINT = "the store's address has a wrong form; write http://host:port or https://host"

_ERRORS: dict[str, str] = {
    "botocore.exceptions.SSLError": "the store's certificate is not accepted; correct the endpoint (http or https)",
    "botocore.exceptions.ConnectionError": _UNREACHABLE,
    "aiohttp.ClientConnectorError": _UNREACHABLE,
    "builtins.ConnectionRefusedError": _UNREACHABLE,
    "botocore.exceptions.HTTPClientError": _GONE,
    "aiohttp.ClientConnectionError": _GONE,
    "aiohttp.ClientPayloadError": _GONE,
    "fsspec.exceptions.FSTimeoutError": _GONE,
    "botocore.exceptions.NoCredentialsError": _NO_KEY,
    "botocore.exceptions.PartialCredentialsError": _NO_KEY,
    "botocore.exceptions.ParamValidationError": "the store's address has a wrong form; write s3://bucket/folder",
    "kedro.validation.exceptions.DataValidationError": "{}; delete the file, and run the pair again",
    "kedro.io.core.DatasetError": "{}; run the pair again, with the stages before this one",
    "kedro.config.MissingConfigException": "{}; look at conf/ and --env",
    "omegaconf.errors.InterpolationResolutionError": "{}",
    "yaml.YAMLError": "{}; correct its syntax",
    "mlflow.exceptions.MlflowException": _NO_RECORD,
    "sqlalchemy.exc.DatabaseError": _NO_RECORD,
}
"""Errors of libraries, each before its base; looked up only where its module is loaded."""

_RAISED_IN = {
    "kedro.config": "{}; correct the configuration in conf/",
    "kedro.runner": "{}; run the stages before these nodes first, such as with --tags",
    "kedro.pipeline": "{}; kedro registry describe <pipeline> shows what there is",
    "kedro.framework.session": "{}; kedro registry list shows all pipelines",
    "botocore": _ENDPOINT,
    "aiobotocore": _ENDPOINT,
}
"""ValueErrors by the package that raises them: what the command line or the configuration asked for does not exist."""


def explain(exc: BaseException) -> str | None:
    """Explain an error that the user can fix in one line: what happened and the remedy. None for any other error.

    The line never holds a secret: credentials and signed addresses are left out.
    """
    if own := own_error(exc):
        return " ".join(str(own).split())
    for link in _causes(exc):
        if line := _line(link):
            name = getattr(link, "filename", None)
            if isinstance(known := getattr(link, "kwargs", None), dict) and "endpoint_url" in known:
                name = str(known["endpoint_url"]).split("?")[0]  # botocore's; a query may hold a signature.
            return f"{name}: {line}" if name else line
    return None


def own_error(exc: BaseException) -> MakeUsRichError | None:
    """The outermost of our own errors in a chain of causes, such as the one inside Kedro's DatasetError."""
    return next((link for link in _causes(exc) if isinstance(link, MakeUsRichError)), None)


def missing(exc: BaseException) -> bool:
    """Whether the store answered that there is no such file: a FileNotFoundError in a chain of causes."""
    return any(isinstance(link, FileNotFoundError) for link in _causes(exc))


def _causes(exc: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = exc
    while link is not None and id(link) not in seen:
        yield link
        seen.add(id(link))
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _line(exc: BaseException) -> str | None:
    code = s3_code(exc) or s3_code(exc.__cause__)
    if code:
        return _S3_CODES.get(code, f"the store answers {code}; look at its log and run again")
    if isinstance(exc, ValidationError):  # Of a stored record; parameters are checked before anything is loaded.
        problem = " ".join(str(exc).splitlines()[1:3])
        return f"a stored {exc.title} is damaged ({problem}); run the pair again, with all of its stages"
    first, *more = str(exc).splitlines() or [type(exc).__name__]
    # Of OmegaConf's resolvers, the text after this phrase is all that is left of the cause.
    text = first.split("raised while resolving interpolation: ")[-1].rstrip(".")
    if failed := [line.removeprefix("  - ") for line in more if line.startswith("  - ")]:  # Checks of a validator.
        text += f": {'; '.join(failed)}"
    for path, line in _ERRORS.items():
        module, _, name = path.rpartition(".")
        if isinstance(exc, getattr(sys.modules.get(module), name, ())):
            # Kedro's error for what is not there has no cause; one that wraps another error has.
            return None if name == "DatasetError" and exc.__cause__ else line.format(text)
    if isinstance(exc, ValueError):
        frames = [frame for frame, _ in traceback.walk_tb(exc.__traceback__)]
        where = str(frames[-1].f_globals.get("__name__")) if frames else ""
        return next((line.format(text) for module, line in _RAISED_IN.items() if where.startswith(module)), None)
    return _ERRNOS.get(exc.errno or 0) if isinstance(exc, OSError) else None


def s3_code(exc: BaseException | None) -> str | None:
    """The S3 error code, such as ``NoSuchKey``, that a botocore ClientError carries."""
    response = getattr(exc, "response", None)
    return response.get("Error", {}).get("Code") if isinstance(response, dict) else None


@contextmanager
def storage_errors(path: str, *, absent: bool = False) -> Iterator[None]:
    """Raise failures of the store as a StorageError that names the path.

    Args:
        path: What is read or written.
        absent: Let the FileNotFoundError of a store that answers pass. A missing bucket is no such answer.

    Raises:
        StorageError: The store failed; the original error is its cause.
    """
    try:
        yield
    except Exception as exc:
        answered = isinstance(exc, FileNotFoundError) and s3_code(exc.__cause__) != "NoSuchBucket"
        if absent and answered:
            raise FileNotFoundError(errno.ENOENT, "no such file", path) from exc
        line = next(filter(None, map(_line, _causes(exc))), None)
        if line is None or isinstance(exc, MakeUsRichError):
            raise
        raise StorageError(f"{path}: {line}") from exc


def call_bucket(
    fs: AsyncFileSystem, request: Callable[..., Any], *args: Any, seconds: float = 60.0, **kwargs: Any
) -> Any:
    """Send data to a bucket with a time limit.

    The client's own limits do not cover waiting for ``100 Continue``: a store that accepts connections and does not
    answer would block a run for ever. It raises FSTimeoutError.
    """
    return sync(fs.loop, request, *args, timeout=seconds, **kwargs)


def check_storage(root: str, credentials: dict[str, Any] | None = None) -> None:
    """Check within seconds that a store can be used; cheap enough for a readiness probe.

    Args:
        root: Folder, or address such as ``s3://bucket/folder``.
        credentials: Arguments of the filesystem, as in credentials.yml.

    Raises:
        StorageError: It cannot be used; the message names the store and the remedy, never a secret.
    """
    if not root.startswith("s3://"):
        existing = next(parent for parent in (Path(root), *Path(root).parents) if parent.exists())
        if not existing.is_dir():
            raise StorageError(f"{existing}: {_ERRNOS[errno.EEXIST]}")
        if not os.access(existing, os.R_OK | os.W_OK | os.X_OK):
            cause = errno.EROFS if os.statvfs(existing).f_flag & os.ST_RDONLY else errno.EACCES
            raise StorageError(f"{existing}: {_ERRNOS[cause]}")
        return
    import s3fs  # Heavy, and a local run has no bucket.

    known = credentials or {}
    endpoint = (known.get("client_kwargs") or {}).get("endpoint_url") or "AWS"
    limits = {"connect_timeout": 1, "read_timeout": 2, "retries": {"max_attempts": 0}}
    config = {**(known.get("config_kwargs") or {}), **limits}
    with storage_errors(f"{root} at {endpoint}"):
        # From fsspec's cache: s3fs closes a collected instance in whichever event loop runs where it is collected.
        fs = s3fs.S3FileSystem(**{**known, "config_kwargs": config})
        fs.retries = 1
        # A listing answers with an error code; a HEAD of the bucket has no body to carry one.
        fs.call_s3("list_objects_v2", Bucket=root.removeprefix("s3://").split("/")[0], MaxKeys=1)
