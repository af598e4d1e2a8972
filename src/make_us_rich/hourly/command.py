"""What ``kedro hourly`` does."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from make_us_rich.alerts import watch
from make_us_rich.catalog import open_catalog, open_config
from make_us_rich.config import find_project
from make_us_rich.domain.errors import LockedError, MakeUsRichError, UnknownPairError
from make_us_rich.hourly.job import Job, kedro_command, kedro_runner
from make_us_rich.hourly.logs import Logs
from make_us_rich.hourly.parameters import HourlyParameters
from make_us_rich.hourly.process import run_bounded
from make_us_rich.hourly.runs import Run
from make_us_rich.locks import pair_lock

FOLDER = Path("data") / "hourly"
"""Where the logs are, below the project: on this machine, wherever the store is."""

PRUNE_SECONDS = 600.0
"""For deleting what is old in MLflow; what is left over is deleted the next time."""


def work(names: Sequence[str], env: str | None, tell: Callable[[Run], Any]) -> bool:
    """Do what the hour asks for; nothing while another job is at it on this machine.

    Args:
        names: Pairs; all that are configured where none is given.
        env: Environment.
        tell: Is given each run when it has ended.

    Returns:
        Whether every run succeeded.

    Raises:
        ParameterError: The configuration is wrong.
        UnknownPairError: A pair is not configured.
    """
    parameters: dict[str, Any] = open_config(env)["parameters"]
    project = find_project()
    folder = project / FOLDER
    with closing(Logs(folder)) as logs, _ended_orderly():
        hourly = HourlyParameters.model_validate(parameters["hourly"])
        runner = kedro_runner(env, project, logs.running, hourly.run_minutes)
        job = Job(open_catalog(env), _chosen(names, parameters["pairs"]), hourly, runner, logs)
        try:
            with pair_lock(str(folder), "hourly"):
                done = job.work(tell)
                if done and not names:
                    _prune(env, project, logs)
                if not names:
                    _look_around(env, logs)
                return all(run.ok for run in done)
        except LockedError:
            logs.tell("the job before this one is still at work")
            return True


def _prune(env: str | None, project: Path, logs: Logs) -> None:
    """Delete MLflow's old runs; that this failed is in the log, and no reason for the job to fail."""
    ended = run_bounded(kedro_command("prune", env=env), project, logs.running, PRUNE_SECONDS)
    logs.keep_output(ended.reason)
    if ended.exit_code:
        logs.tell(f"MLflow: {ended.reason}")


def _look_around(env: str | None, logs: Logs) -> None:
    """Tell the owner what is wrong; that this cannot be told is in the log, and no reason for the job to fail."""
    try:
        watch(env)
    except MakeUsRichError as exc:
        logs.tell(f"alerts: {exc}")


def _chosen(names: Sequence[str], configured: list[str]) -> list[str]:
    for name in names:
        if name not in configured:
            raise UnknownPairError(f"{name}: not among the configured pairs: {', '.join(configured)}")
    return [*names] or configured


@contextmanager
def _ended_orderly() -> Iterator[None]:
    """Let SIGTERM, with which a container or a machine is stopped, end the run in progress too."""

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
