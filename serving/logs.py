"""Logging of the API: each line of JSON has the request id, and a readable one its fields."""

import logging
import sys
from contextvars import ContextVar
from typing import Literal

from make_us_rich.logs import JsonFormatter, without_secrets

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""Id of the current request."""

_QUIET = ("alembic", "asyncio", "botocore", "httpx", "kedro", "s3fs", "urllib3", "aiobotocore")


class PlainFormatter(logging.Formatter):
    """One readable line: time, level, logger and message, then the fields given as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        fields = "".join(f" {name}={value}" for name, value in getattr(record, "fields", {}).items())
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
