"""The project's lines in a user's crontab, in a marked block; every other line stays as it is."""

import subprocess
import sys
from pathlib import Path

from make_us_rich.domain.errors import ParameterError

_MARKERS = (
    "# >>> make us rich {} >>> written by make schedule; add your own lines outside",
    "# <<< make us rich {} <<<",
)
"""First and last line of the block of a project."""


def schedule(project: Path, env: str | None = None) -> str:
    """Put the project's block into this user's crontab, in place of an earlier one, and return a message.

    Raises:
        ParameterError: There is no cron, or it refuses; or no crontab can hold the project's folder.
    """
    block = make_block(project, (project / "deploy" / "trainer" / "crontab").read_text(), env)
    if _update(project, block):
        return f"these lines are in the crontab now; make unschedule removes them\n{block}"
    return f"the crontab has these lines already; nothing was changed\n{block}"


def unschedule(project: Path) -> str:
    """Remove the project's block from this user's crontab, and return a message.

    Raises:
        ParameterError: There is no cron, or it refuses.
    """
    if _update(project, ""):
        return f"the lines of {project} are removed from the crontab"
    return f"the crontab has no lines of {project}; nothing was changed"


def make_block(project: Path, shipped: str, env: str | None) -> str:
    """The block: folder and Python of the project, then the shipped lines.

    They are variables, since a percent sign is special in a command of a crontab. Standard output is dropped: it is in
    the log, and cron mails the rest, which are failures.
    """
    begin, end = (marker.format(project) for marker in _MARKERS)
    suffix = (f" --env={env}" if env else "") + " >/dev/null"
    lines = [line + suffix for line in shipped.splitlines() if line.strip() and not line.startswith("#")]
    variables = []
    for name, value in (("PROJECT", str(project)), ("PYTHON", sys.executable)):
        quote = "'" if "'" not in value else '"'
        if quote in value or "\n" in value:
            raise ParameterError(f"a crontab cannot hold the name {value!r}", "move the project to another folder")
        variables.append(f"MAKE_US_RICH_{name}={quote}{value}{quote}")
    return "\n".join([begin, *variables, *lines, end, ""])


def with_block(table: str, project: Path, block: str) -> str:
    """A crontab with the block in place of the project's earlier one, else at the end; an empty block removes it.

    Raises:
        ParameterError: The earlier block has no end, so that the lines of others cannot be distinguished from its own.
    """
    begin, end = (marker.format(project) for marker in _MARKERS)
    if block and table and not table.endswith("\n"):
        table += "\n"
    before, found, rest = table.partition(f"{begin}\n")
    _, ended, after = rest.partition(f"{end}\n")
    if found and not ended:
        raise ParameterError(
            f"the crontab's block of {project} has no end marker", "remove the rest of the block with crontab -e"
        )
    return before + block + after


def _update(project: Path, block: str) -> bool:
    """Whether the crontab had to be changed."""
    listed = _crontab("-l")
    if listed.returncode and "no crontab for" not in listed.stderr:
        raise ParameterError(f"crontab -l failed: {listed.stderr.strip()}")
    after = with_block(listed.stdout, project, block)
    if after == listed.stdout:
        return False
    written = _crontab("-", after) if after else _crontab("-r")
    if written.returncode:
        raise ParameterError(f"crontab failed: {written.stderr.strip()}", "the crontab is unchanged")
    return True


def _crontab(argument: str, table: str | None = None) -> "subprocess.CompletedProcess[str]":
    command = ["crontab", argument]
    try:
        return subprocess.run(command, input=table, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError:
        raise ParameterError("cron is not installed", "install it, for instance with apt-get install cron") from None
