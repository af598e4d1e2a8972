"""Commands of the project: Kedro's run with errors in one line, the champions, and the way back."""

import functools
import sys
from collections.abc import Callable
from copy import copy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.project import pipelines

from make_us_rich import pairs
from make_us_rich.catalog import open_config
from make_us_rich.config import find_project
from make_us_rich.domain.errors import ParameterError, UnknownPairError
from make_us_rich.runners.pair_run import is_of_all, own_pipelines
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


EACH_ITS_OWN_RUN = "make_us_rich.runners.ProcessesRunner"
"""The runner of a pipeline of all pairs, unless another is asked for."""

_kedro_run: Callable[..., Any] = kedro_run.callback  # type: ignore[assignment]


@in_one_line
def run_pipelines(**options: Any) -> Any:
    """Kedro's own run; ``--pipeline`` stays a spelling of ``--pipelines`` here, without Kedro's deprecation."""
    if find_spec("kedro_mlflow") is None:
        raise click.ClickException('a run needs more than serving does: pip install "make-us-rich[training]"')
    if options["pipeline"] and not options["pipelines"]:
        options |= {"pipelines": [options["pipeline"]], "pipeline": None}
    if any(is_of_all(name) for name in options["pipelines"]) and not options["runner"]:
        options |= {"runner": EACH_ITS_OWN_RUN}
    if not options["conf_source"]:
        open_config(options["env"])  # Refuses an environment that is not there; Kedro takes any name.
    try:
        return _kedro_run(**options)
    except ValueError as exc:
        refuse_unknown(options["pipelines"])
        refuse_unknown_tags(options["pipelines"], options["tags"])
        refuse_empty_selection(exc, options["pipelines"])
        raise


def refuse_unknown(names: list[str]) -> None:
    """Say which pairs there are, where Kedro found no pipeline of a name.

    Raises:
        UnknownPairError: One of the names is no pipeline.
    """
    known = [pair.name for pair in pairs.configured()]
    for name in sorted(set(names) - {"__default__"}):
        if is_of_all(name) or any(own_pipelines([name], pair) for pair in known):
            continue
        raise UnknownPairError(
            f"{name}: not among the configured pairs ({', '.join(known)});"
            " add it to `pairs` in conf/base/parameters.yml"
        )


def refuse_unknown_tags(names: list[str], tags: list[str]) -> None:
    """Say which tags there are, where Kedro found no node of a tag.

    Raises:
        ParameterError: No node has one of the tags.
    """
    known = {tag for name in names or ["__default__"] for node in pipelines[name].nodes for tag in node.tags}
    for tag in set(tags) - known:
        raise ParameterError(f"{tag}: no stage has this tag; choose from {', '.join(sorted(known))}")


def refuse_empty_selection(error: ValueError, names: list[str]) -> None:
    """Say where the nodes, namespaces and datasets can be read, where Kedro found none to run.

    Raises:
        ParameterError: The error is Kedro's about what was selected.
    """
    if str(error).startswith("Pipeline "):
        name = names[0] if names else "__default__"
        raise ParameterError(f"{str(error).rstrip('.')}; kedro registry describe {name} shows what there is") from error


run = copy(kedro_run)
run.callback = run_pipelines
cli.add_command(run)


@cli.command()
@click.argument("pair", required=False)
@click.option("--env", "-e", default=None, help="Environment, such as demo or production.")
@in_one_line
def champions(pair: str | None, env: str | None) -> None:
    """Show what is published for every pair, its error beside the baseline's; for one PAIR what was served before."""
    from make_us_rich.champions import history, tabulate

    click.echo(history(pair, env) if pair else tabulate(env))


@cli.command()
@click.argument("pair")
@click.option("--to", "version", default=None, help="The version to serve; the previous champion unless given.")
@click.option("--env", "-e", default=None, help="Environment, such as demo or production.")
@in_one_line
def rollback(pair: str, version: str | None, env: str | None) -> None:
    """Serve an earlier version of PAIR again, such as btc_usdt."""
    from make_us_rich.champions import roll_back

    click.echo(roll_back(pair, version, env))


@cli.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--env", "-e", default=None, help="Environment, such as demo or production.")
@in_one_line
def backup(file: Path, env: str | None) -> None:
    """Write everything in the store into FILE; runs may go on meanwhile."""
    from make_us_rich.backups import back_up

    click.echo(back_up(file, env))


@cli.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--env", "-e", default=None, help="Environment, such as demo or production.")
@in_one_line
def restore(file: Path, env: str | None) -> None:
    """Put everything that FILE has back into the store."""
    from make_us_rich import backups

    click.echo(backups.restore(file, env))


@cli.command()
@click.argument("names", nargs=-1, metavar="[PAIR]...")
@click.option("--env", "-e", default=None, help="Environment, such as demo or production.")
@in_one_line
def hourly(names: tuple[str, ...], env: str | None) -> None:
    """Do what the hour asks for and has not been done, for every pair or those named; what cron calls."""
    from make_us_rich.hourly.command import work

    if not work(names, env, lambda run: click.echo(run.line, err=not run.ok)):
        sys.exit(1)


@cli.command()
@click.option("--env", "-e", default=None, help="Environment, such as demo or production.")
@in_one_line
def prune(env: str | None) -> None:
    """Delete runs from MLflow's record that are older than hourly.mlflow_days; kedro hourly does it too."""
    from make_us_rich.hourly import pruning

    click.echo(pruning.prune(env))


@cli.command()
@click.option("--env", "-e", default=None, help="Environment of the runs, such as production.")
@in_one_line
def schedule(env: str | None) -> None:
    """Let this user's cron call kedro hourly; other lines of the crontab stay."""
    from make_us_rich.hourly import crontab

    if env:
        open_config(env)  # Refuses an environment that is not there.
    click.echo(crontab.schedule(find_project(), env))


@cli.command()
@in_one_line
def unschedule() -> None:
    """Take the lines of kedro schedule out of this user's crontab."""
    from make_us_rich.hourly import crontab

    click.echo(crontab.unschedule(find_project()))


@cli.command()
@click.option("--env", "-e", default=None, help="Environment, such as demo or production.")
@click.option("--every", default=0.0, help="Seconds between two rounds; 0 for one round.")
@in_one_line
def watch(env: str | None, every: float) -> None:
    """Look for what is wrong and tell it to the addresses in MAKE_US_RICH_ALERT_URLS, each thing once."""
    import time

    from make_us_rich.alerts import watch as watch_once

    while True:
        done = watch_once(env, patience=60)
        for alert in done.found if done else ():
            click.echo(f"{alert.kind}: {alert.text}")
        if not every:
            return
        time.sleep(every)


@cli.group()
def alerts() -> None:
    """Who is told when something is wrong."""


@alerts.command()
@in_one_line
def test() -> None:
    """Send a message to the addresses in MAKE_US_RICH_ALERT_URLS that says that it is only a test."""
    from make_us_rich.alerts import send_test

    send_test()
    click.echo("the test has arrived")


@alerts.command()
@click.option("--env", "-e", default=None, help="Environment, such as demo or production.")
@in_one_line
def show(env: str | None) -> None:
    """What was told last."""
    from make_us_rich.alerts import read_told

    for each in read_told(env).get("told", []):
        click.echo(f"{each['at'][:16]} {each['event']}: {each['text']}")
