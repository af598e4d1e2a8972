"""The lines of this project in a user's crontab, in a marked block: everything else there stays as it is."""

import subprocess
import sys
from pathlib import Path

from make_us_rich.domain.errors import ParameterError

SHIPPED = Path("trainer") / "crontab"
"""The file that the trainer container runs too, below the project."""


def schedule(project: Path, env: str | None = None) -> str:
    """Put the project's lines into this user's crontab, in place of those that were there.

    Args:
        project: The project's folder.
        env: Environment of the runs.

    Returns:
        What was done, in words.

    Raises:
        ParameterError: There is no cron, or it refuses; or the folder has a name that no crontab can hold.
    """
    before = _read()
    block = make_block(project, (project / SHIPPED).read_text(), env)
    after = with_block(before, project, block)
    if after == before:
        return f"the crontab has had these lines already; nothing was changed\n{block}"
    _write(after)
    return f"these lines are in the crontab now; make unschedule takes them out\n{block}"


def unschedule(project: Path) -> str:
    """Take the project's lines out of this user's crontab.

    Returns:
        What was done, in words.

    Raises:
        ParameterError: There is no cron, or it refuses.
    """
    before = _read()
    after = without_block(before, project)
    if after == before:
        return f"the crontab has no lines of {project}; nothing was changed"
    _write(after)
    return f"the lines of {project} are out of the crontab"


def make_block(project: Path, shipped: str, env: str | None) -> str:
    """The block: where the project and its Python are, then the shipped lines.

    A percent sign is special in a command, and not in a variable's value. What a run says is in its log; cron mails
    what is written to stderr, and that is failures alone.
    """
    end = (f" --env={env}" if env else "") + " >/dev/null"
    lines = [line for line in shipped.splitlines() if line.strip() and not line.startswith("#")]
    variables = {"MAKE_US_RICH_PROJECT": str(project), "MAKE_US_RICH_PYTHON": sys.executable}
    return "\n".join(
        [
            _begin(project),
            *(f"{name}={_quoted(value)}" for name, value in variables.items()),
            *(line + end for line in lines),
            _end(project),
            "",
        ]
    )


def _begin(project: Path) -> str:
    return f"# >>> make us rich {project} >>> kept up by make schedule; lines of your own go outside"


def _end(project: Path) -> str:
    return f"# <<< make us rich {project} <<<"


def _quoted(value: str) -> str:
    quote = "'" if "'" not in value else '"'
    if quote in value or "\n" in value:
        raise ParameterError(f"{value!r}: a crontab cannot hold this name; move the project to another folder")
    return quote + value + quote


def with_block(table: str, project: Path, block: str) -> str:
    """A crontab with the block of a project where it was before, else at its end."""
    lines = table.splitlines(keepends=True)
    span = _span(lines, project)
    if span is None:
        ended = table if not table or table.endswith("\n") else f"{table}\n"
        return ended + block
    return "".join([*lines[: span.start], block, *lines[span.stop :]])


def without_block(table: str, project: Path) -> str:
    """A crontab without the block of a project."""
    lines = table.splitlines(keepends=True)
    span = _span(lines, project) or range(0)
    return "".join([*lines[: span.start], *lines[span.stop :]])


def _span(lines: list[str], project: Path) -> range | None:
    """Where the block is; one whose end somebody deleted is refused, since what is ours is unknown.

    Raises:
        ParameterError: The block has no end.
    """
    stripped = [line.rstrip("\n") for line in lines]
    if _begin(project) not in stripped:
        return None
    begin = stripped.index(_begin(project))
    if _end(project) not in stripped[begin:]:
        raise ParameterError(f"the crontab's block of {project} has lost its last line; mend it with crontab -e")
    return range(begin, stripped.index(_end(project), begin) + 1)


def _read() -> str:
    answer = _crontab("-l")
    if answer.returncode == 0:
        return answer.stdout
    if "no crontab" in answer.stderr:
        return ""
    raise ParameterError(f"crontab -l: {answer.stderr.strip()}")


def _write(table: str) -> None:
    answer = _crontab("-", table) if table else _crontab("-r")
    if answer.returncode != 0:
        raise ParameterError(f"crontab: {answer.stderr.strip()}; nothing was changed")


def _crontab(argument: str, table: str | None = None) -> "subprocess.CompletedProcess[str]":
    command = ["crontab", argument]
    try:
        return subprocess.run(command, input=table, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError:
        raise ParameterError("there is no cron here; install it (apt-get install cron)") from None
