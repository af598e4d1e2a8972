"""A run as a process of its own, that ends in time."""

import os
import re
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GRACE = 10.0
"""Seconds that a process which is told to end has for it."""

_LINE = re.compile(r"^[\d:]{8} [A-Z]+ +(?P<logger>[\w.]+): (?P<message>.*)$")


@dataclass(frozen=True)
class Ended:
    """How a process ended; the exit code is negative for a signal."""

    exit_code: int
    reason: str


def run_bounded(command: Sequence[str], folder: Path, output: Path, seconds: float) -> Ended:
    """Run a command in a folder, its output in a file; what takes too long is ended, with all that it started.

    Args:
        command: Program and arguments.
        folder: Working directory.
        output: File for all that it says; what was there is replaced.
        seconds: How long it may take.
    """
    with output.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 (its arguments are ours)
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            process.wait(seconds)
            late = False
        except subprocess.TimeoutExpired:
            late = True
        finally:
            end(process)
    said = said_last(output.read_text(errors="replace"))
    reason = f"took longer than {seconds / 60:g} min and was ended: {said}" if late else said
    return Ended(process.returncode, reason)


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process that leads its session, and whatever it has started; nothing where it has ended."""
    if process.poll() is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
            return


def said_last(output: str) -> str:
    """One line for what a run came to: its error, else what a stage said last, else its last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    told = [match["message"] for match in map(_LINE.match, lines) if match and ".pipelines." in match["logger"]]
    return (errors[-1:] or told[-1:] or lines[-1:] or ["nothing was said"])[0]
