"""Logging of the API: each line of JSON has the request id, and a readable one its fields."""

import logging
import sys
from contextvars import ContextVar
from string import punctuation
from typing import Literal
from urllib.parse import quote

from make_us_rich.logs import JsonFormatter, without_secrets

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""Id of the current request."""

_QUIET = ("alembic", "asyncio", "botocore", "httpx", "kedro", "s3fs", "urllib3", "aiobotocore")


class PlainFormatter(logging.Formatter):
    """One readable line: time, level, logger and message, then the fields given as ``extra``, percent-encoded."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        given = getattr(record, "fields", {})
        # A client chooses the path: no space or line break in it may begin another field or line.
        encoded = {name: quote(without_secrets(str(value)), safe=punctuation) for name, value in given.items()}
        fields = "".join(f" {name}={value}" for name, value in encoded.items())
        return without_secrets(f"{super().format(record)}{fields}")


def configure_logs(log_format: Literal["json", "plain"]) -> None:
    """Log to stderr: this process from level INFO on, libraries from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    plain = PlainFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
    handler.setFormatter(JsonFormatter(request_id=request_id.get) if log_format == "json" else plain)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # Deprecation warnings of libraries are for developers, who see them in the tests.
    logging.captureWarnings(True)
    for name in ("py.warnings", *_QUIET):
        logging.getLogger(name).setLevel(logging.ERROR if name == "py.warnings" else logging.WARNING)
