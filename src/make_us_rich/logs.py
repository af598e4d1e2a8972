"""Logging of runs and of the API: secrets are masked, and each line is a JSON object if that is asked for."""

import json
import logging
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime

_SECRETS = re.compile(
    r"mu[rlp]_[\w-]{8,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|(?i:(?<=token=)|(?<=password=)|(?<=secret=)|(?<=bearer )|(?<=basic ))[^&\s\"',;]+"
)


def without_secrets(text: str) -> str:
    """Mask tokens, passwords in addresses, and values of secret parameters."""
    return _SECRETS.sub("***", text)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, context, and the fields given as ``extra``.

    Args:
        context: More of each line, by name, such as the id of the current request.
    """

    def __init__(self, **context: Callable[[], str]) -> None:
        super().__init__()
        self._context = context

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value() for name, value in self._context.items()},
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return without_secrets(json.dumps(line, default=str))


def log_json_if_asked(**context: Callable[[], str]) -> None:
    """Log as JSON with ``LOG_FORMAT=json``; Kedro admits no formatter of ours to ``conf/logging.yml``."""
    if os.environ.get("LOG_FORMAT") == "json":
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonFormatter(**context))
