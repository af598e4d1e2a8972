"""Logs: one line an event, with the request's id and without secrets."""

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""Of the request that is being answered."""

_SECRETS = re.compile(
    r"mu[rl]_[\w-]{8,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|(?i:(?<=token=)|(?<=password=)|(?<=secret=)|(?<=bearer )|(?<=basic ))[^&\s\"',;]+"
)
_QUIET = ("alembic", "asyncio", "botocore", "httpx", "kedro", "s3fs", "urllib3", "aiobotocore")


def without_secrets(text: str) -> str:
    """The text without API tokens, passwords of addresses, and values of parameters that are secret."""
    return _SECRETS.sub("***", text)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record with its time (UTC), level, logger, message, request id and what was given as ``extra``."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return without_secrets(json.dumps(line, default=str))


class PlainFormatter(logging.Formatter):
    """The same for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger and message, then the other fields."""
        fields = "".join(f" {name}={value}" for name, value in getattr(record, "fields", {}).items())
        return without_secrets(f"{super().format(record)}{fields}")


def configure_logs(kind: Literal["json", "plain"]) -> None:
    """Write to stderr what this process has to say, and of what it uses only what is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    plain = PlainFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
    handler.setFormatter(JsonFormatter() if kind == "json" else plain)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # What libraries warn of at import is for developers, who see it in the tests.
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").setLevel(logging.ERROR)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
