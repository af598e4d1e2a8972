"""Commands of the project: Kedro's run with errors in one line, forecasts, champions, the hourly job and alerts."""

import atexit
import gc
import os
import sys
from importlib.util import find_spec
from types import TracebackType
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError
from kedro.framework.project import pipelines
from kedro.utils import load_obj

from make_us_rich.catalog import find_project, open_config
from make_us_rich.domain.errors import ParameterError, UnknownPairError
from make_us_rich.models.registry import trains_network
from make_us_rich.project_parameters import configured_pairs
from make_us_rich.runners.pair_process import start_fork_server
from make_us_rich.runners.pair_run import is_of_all, own_pipelines
from make_us_rich.storage import explain

PARALLEL_PAIRS = "make_us_rich.runners.ProcessesRunner"
"""The runner of several pairs, unless another is asked for: each pair has its own process, lock and MLflow run."""

env_option = click.option("--env", "-e", default=None, help="Environment, such as demo or production.")


def report_errors() -> None:
    """Show errors that the user can fix as one line; also those of the commands of Kedro and its plugins."""

    def report(kind: type[BaseException], exc: BaseException, trace: TracebackType | None) -> None:
        line = explain(exc)
        if line is None:
            sys.__excepthook__(kind, exc, trace)
        else:
            click.echo(f"Error: {line}", err=True)

    sys.excepthook = report
    KedroCliError.show = click.ClickException.show  # type: ignore[method-assign]  # Kedro's prints "NoneType: None".


report_errors()
# Imports make 400,000 objects that stay. Looking for garbage among them, again and again and once more at the end,
# takes 2 of 13 seconds.
gc.set_threshold(50_000, 20, 100)
atexit.register(gc.freeze)


@click.group(name="make_us_rich")
def cli() -> None:
    """Commands of the project."""


@cli.command(params=kedro_run.params, help=kedro_run.help)
def run(**options: Any) -> None:
    """Invoke Kedro's run; ``--pipeline`` stays a spelling of ``--pipelines``, without Kedro's deprecation."""
    if find_spec("kedro_mlflow") is None:
        raise ParameterError("a run needs more than serving does", 'pip install "make-us-rich[training]"')
    if options["pipeline"] and not options["pipelines"]:
        options |= {"pipelines": [options["pipeline"]], "pipeline": None}
    names = options["pipelines"]
    refuse_runners(options)
    # Refuses an unknown environment; Kedro accepts any name.
    config = None if options["conf_source"] else open_config(options["env"])
    several = len(names) != 1 or is_of_all(names[0])
    # Kedro's own ParallelRunner runs no hooks of nodes and datasets, which hold the pair and record its run.
    if options["runner"] == "ParallelRunner" or (several and not options["runner"]):
        options |= {"runner": PARALLEL_PAIRS}
        if config:
            architectures = options["params"].get("architectures") or config["parameters"]["architectures"]
            start_fork_server(networks=trains_network(str(architectures)))
    try:
        click.get_current_context().invoke(kedro_run, **options)
    except ValueError:
        refuse_unknown(names, options["tags"])
        raise


def refuse_runners(options: dict[str, Any]) -> None:
    """Raise ParameterError for runners that share one run among threads, and for names of no runner."""
    runner, remedy = options["runner"], "leave it out; --pipeline=all runs pairs side by side"
    if options["is_async"] or options["runner_params"].get("is_async"):
        raise ParameterError("--async is not supported: MLflow's run belongs to one thread", remedy)
    if runner == "ThreadRunner":
        raise ParameterError(f"--runner={runner} is not supported: MLflow's run belongs to one thread", remedy)
    if runner == "ParallelRunner" and options["runner_params"]:
        message = f"--runner-params={', '.join(options['runner_params'])} is not supported"
        raise ParameterError(message, "set running.workers to the number of pairs side by side")
    try:
        load_obj(runner or "SequentialRunner", "kedro.runner")
    except (AttributeError, ImportError, ValueError) as exc:
        raise ParameterError(f"--runner={runner}: there is no such runner", remedy) from exc


def refuse_unknown(names: list[str], tags: list[str]) -> None:
    """Name the configured pairs, or the stages, if Kedro found no pipeline of a name or no node of a tag."""
    known = [pair.name for pair in configured_pairs()]
    for name in sorted(set(names) - {"__default__"}):
        if not is_of_all(name) and not any(own_pipelines([name], pair) for pair in known):
            raise UnknownPairError(
                f"{name}: not among the configured pairs ({', '.join(known)})",
                "add it to `pairs` in conf/base/parameters.yml",
            )
    stages = {tag for name in names or ["__default__"] for node in pipelines[name].nodes for tag in node.tags}
    for tag in set(tags) - stages:
        raise ParameterError(f"{tag}: no stage has this tag", f"choose from {', '.join(sorted(stages))}")


@cli.command()
@click.argument("pair", required=False)
@env_option
def champions(pair: str | None, env: str | None) -> None:
    """Show the champion of every pair and its skill; the history of one PAIR."""
    from make_us_rich.champions import history, tabulate

    click.echo(history(pair, env) if pair else tabulate(env))


@cli.command()
@click.argument("pair")
@click.option("--hours", default=24, help="Hours ahead, 1 to 24; 24 unless given.")
@click.option("--above", "close_above", type=float, multiple=True, help="Price that the last hour closes above.")
@click.option("--below", "close_below", type=float, multiple=True, help="Price that the last hour closes below.")
@click.option("--touch", type=float, multiple=True, help="Price that is traded before then.")
@click.option("--fetch", is_flag=True, help="Request new candles instead of loading those of the last run.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every hour and level.")
@env_option
def forecast(pair: str, hours: int, fetch: bool, as_json: bool, env: str | None, **prices: tuple[float, ...]) -> None:
    """Forecast PAIR, such as btc_usdt, with its champion; prices are in quote currency."""
    from make_us_rich import forecasting

    report = forecasting.forecast(pair, prices, hours, env, fetch=fetch)
    click.echo(report.model_dump_json(indent=2) if as_json else forecasting.render(report))


@cli.command()
@click.argument("pair")
@click.option("--to", "version", default=None, help="The version to serve; the previous champion unless given.")
@env_option
def rollback(pair: str, version: str | None, env: str | None) -> None:
    """Serve an earlier version of PAIR again, such as btc_usdt."""
    from make_us_rich.champions import roll_back

    click.echo(roll_back(pair, version, env))


@cli.command()
@click.argument("names", nargs=-1, metavar="[PAIR]...")
@env_option
def hourly(names: tuple[str, ...], env: str | None) -> None:
    """Run what is due in this hour, for every PAIR or those named, then check for problems; cron calls it."""
    from make_us_rich.scheduler.commands import run_hourly

    if not run_hourly(names, env, lambda line, failed: click.echo(line, err=failed)):
        sys.exit(1)


@cli.command()
@env_option
def prune(env: str | None) -> None:
    """Delete runs from MLflow that are older than scheduler.mlflow_retention_days; kedro hourly does so, too."""
    from make_us_rich.scheduler import pruning

    click.echo(pruning.prune(env))


@cli.group()
def mlflow() -> None:
    """Show what MLflow has recorded."""


@mlflow.command()
@env_option
@click.option("--host", default="127.0.0.1", help="Address to listen on; 127.0.0.1 unless given.")
@click.option("--port", default=5000, help="Port to listen on; 5000 unless given.")
def ui(env: str | None, host: str, port: int) -> None:
    """Print the address of the runs; where they are in a file, show them there until Ctrl-C."""
    from make_us_rich.tracking import runs_page

    settings = open_config(env)["mlflow"]
    click.echo(f"The runs: {runs_page(settings, f'http://{host}:{port}')}")
    uri = settings["server"]["mlflow_tracking_uri"]
    if not uri.startswith("http"):
        # The address that uvicorn logs is that of MLflow's start page, for language models.
        options = ["--backend-store-uri", uri, "--host", host, "--port", str(port), "--uvicorn-opts=--log-level=error"]
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-m", "mlflow", "ui", *options])  # noqa: S606 (no shell is needed)


@cli.command()
@env_option
def schedule(env: str | None) -> None:
    """Let this user's cron call kedro hourly; other lines of the crontab stay."""
    from make_us_rich.scheduler import crontab

    if env:
        open_config(env)  # Refuses an environment that is not there.
    click.echo(crontab.schedule(find_project(), env))


@cli.command()
def unschedule() -> None:
    """Take the lines of kedro schedule out of this user's crontab."""
    from make_us_rich.scheduler import crontab

    click.echo(crontab.unschedule(find_project()))


@cli.command()
@env_option
@click.option("--every", default=0.0, help="Seconds between two checks; 0 for one check.")
def check(env: str | None, every: float) -> None:
    """Check runs, candles, models, API, disk and store, and send alerts to the addresses in MAKE_US_RICH_ALERT_URLS."""
    import time

    from make_us_rich.alerts import run_checks

    while True:
        result = run_checks(env, timeout=60)
        for alert in result.alerts if result else ():
            click.echo(f"{alert.kind}: {alert.text}")
        click.echo(result.summary if result else "another process is running the checks")
        if not every:
            return
        time.sleep(every)


@cli.group()
def alerts() -> None:
    """Test the addresses of alerts, and show what was sent."""


@alerts.command()
def test() -> None:
    """Send a test message to the addresses in MAKE_US_RICH_ALERT_URLS."""
    from make_us_rich.alerts import send_test

    send_test()
    click.echo("the test message was delivered")


@alerts.command()
@env_option
def show(env: str | None) -> None:
    """Show what was sent last, and how many problems are open."""
    from make_us_rich.alerts import read_alerts

    state = read_alerts(env)
    for each in state.notifications:
        click.echo(f"{each.at:%Y-%m-%d %H:%M} UTC {each.event}: {each.text}")
    sent = "" if state.notifications else "; no alert has been sent yet"
    click.echo(f"{len(state.open) or 'no'} open problem{'' if len(state.open) == 1 else 's'}{sent}")
