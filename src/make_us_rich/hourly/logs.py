"""Logs of a size that does not grow: one line a run, and all that runs said."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

LINES = (1_000_000, 5)
OUTPUT = (5_000_000, 3)
"""Bytes of a file, and how many older ones are kept."""


class Logs:
    """The two logs in a folder, which is made.

    Attributes:
        running: File for what the run in progress says.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.running = folder / "running.log"
        self._lines = _rotating(folder / "hourly.log", *LINES)
        self._output = _rotating(folder / "output.log", *OUTPUT)

    def tell(self, line: str) -> None:
        """Write a line."""
        _write(self._lines, line)

    def keep_output(self, line: str) -> None:
        """Take over what the run in progress said, below its line."""
        said = self.running.read_text(errors="replace") if self.running.exists() else ""
        _write(self._output, f"==== {line}\n{said}")
        self.running.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the files."""
        self._lines.close()
        self._output.close()


def _rotating(path: Path, size: int, older: int) -> RotatingFileHandler:
    return RotatingFileHandler(path, maxBytes=size, backupCount=older, encoding="utf-8")


def _write(handler: RotatingFileHandler, text: str) -> None:
    handler.handle(logging.LogRecord(__name__, logging.INFO, "", 0, text, None, None))
