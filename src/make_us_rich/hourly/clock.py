"""``python -m make_us_rich.hourly.clock trainer/crontab``: what cron does with a crontab, without root.

Cron itself has to start as root, since it runs the jobs of many users. A container has one, and no need of it.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cronsim import CronSim, CronSimError

from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.run import utc_now

ALIVE = Path("/tmp/hourly.alive")  # noqa: S108 (a container's own; it says that the clock goes, and nothing else)
BEAT = 30.0
"""Seconds between signs of life."""


@dataclass(frozen=True)
class Line:
    """A line of a crontab."""

    times: str
    command: str


def read_lines(crontab: str) -> list[Line]:
    """The lines that name times and a command; variables come from the environment here.

    Raises:
        ParameterError: A line has no times that can be understood.
    """
    lines = [line.strip() for line in crontab.splitlines()]
    return [_line(line) for line in lines if line and not line.startswith("#")]


def _line(line: str) -> Line:
    *times, command = line.split(maxsplit=5)
    found = Line(" ".join(times), command)
    try:
        CronSim(found.times, utc_now())
    except CronSimError as exc:
        raise ParameterError(f"crontab: {line!r} has no times that cron understands ({exc}); correct it") from exc
    return found


def next_of(lines: list[Line], now: datetime) -> tuple[datetime, Line]:
    """The line whose time comes first, and that time (UTC)."""
    times = [next(CronSim(line.times, now)) for line in lines]
    return min(zip(times, lines, strict=True), key=lambda due: due[0])


def beats(until: datetime, clock: Callable[[], datetime]) -> Iterator[float]:
    """Seconds to sleep at a time until a moment has come."""
    while (left := (until - clock()).total_seconds()) > 0:
        yield min(left, BEAT)


def run(command: str, alive: Callable[[], None]) -> None:
    """Run a line's command as cron does; whatever ends the clock ends it too."""
    with subprocess.Popen(["/bin/sh", "-c", command]) as process:  # noqa: S603 (that is what a crontab is for)
        try:
            while True:
                alive()
                try:
                    process.wait(BEAT)
                except subprocess.TimeoutExpired:
                    continue
                return
        finally:
            process.terminate()


def main(crontab: Path) -> None:
    """Run every line once, since its time may have come while nothing ran, and then when it comes."""
    lines = read_lines(crontab.read_text())
    for line in lines:
        run(line.command, ALIVE.touch)
    while True:
        moment, line = next_of(lines, utc_now())
        for seconds in beats(moment, utc_now):
            ALIVE.touch()
            time.sleep(seconds)
        run(line.command, ALIVE.touch)


if __name__ == "__main__":
    import signal

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main(Path(sys.argv[1]))
