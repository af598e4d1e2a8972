"""Commands of the project: Kedro's run with errors in one line, the champions, and the way back."""

import functools
from collections.abc import Callable
from copy import copy
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run

from make_us_rich.domain.errors import MakeUsRichError
from make_us_rich.storage import explain


def in_one_line(command: Callable[..., Any]) -> Callable[..., Any]:
    """Show an error that the user can mend as one line; anything else keeps its traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except Exception as exc:
            line = explain(exc)
            if line is None:
                raise
            raise click.ClickException(line) from exc

    return wrapped


@click.group(name="make_us_rich")
def cli() -> None:
    """Commands of the project."""


run = copy(kedro_run)
run.callback = in_one_line(kedro_run.callback)
cli.add_command(run)
