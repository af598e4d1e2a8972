"""``kedro hourly``."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from dotenv import load_dotenv

from make_us_rich.alerts import run_checks
from make_us_rich.catalog import find_project, open_catalog, open_config
from make_us_rich.domain.errors import LockedError, MakeUsRichError, ParameterError, UnknownPairError
from make_us_rich.locks import pair_lock
from make_us_rich.scheduler.due import SchedulerParameters, Task
from make_us_rich.scheduler.job import Job, JobLog

PRUNE_SECONDS = 600.0
"""What is left over is deleted the next time."""


def load_env_file(project: Path) -> None:
    """Set the variables of the project's ``.env`` that the environment does not set, by the rules of compose.

    Raises:
        ParameterError: The file is not UTF-8.
    """
    try:
        load_dotenv(project / ".env", encoding="utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ParameterError(f"{project / '.env'} is not encoded as UTF-8", "save it as UTF-8") from exc


def run_hourly(names: Sequence[str], env: str | None, report: Callable[[str, bool], Any]) -> bool:
    """Run what is due, prune MLflow and run the checks; nothing while another job runs on this machine.

    Args:
        names: Pairs; all configured ones where none is given. With names, MLflow is not pruned and nothing is checked.
        env: Environment.
        report: Is given each line of progress, and whether it is about a failure.

    Returns:
        Whether every run succeeded.

    Raises:
        ParameterError: The configuration is wrong.
        UnknownPairError: A pair is not configured.
    """
    project = find_project()
    load_env_file(project)
    parameters: dict[str, Any] = open_config(env)["parameters"]
    scheduler = SchedulerParameters.model_validate(parameters["scheduler"])
    for name in names:
        if name not in parameters["pairs"]:
            raise UnknownPairError(f"{name}: not among the configured pairs: {', '.join(parameters['pairs'])}")
    exit_on_signals()
    folder = project / "data" / "hourly"  # On this machine, wherever the store is.
    with closing(JobLog(folder, report)) as log:

        def run_kedro(seconds: float, *arguments: str) -> tuple[int, str]:
            command = [sys.executable, "-m", "kedro", *arguments, *([f"--env={env}"] if env else [])]
            return log.run(command, project, seconds)

        def run_task(task: Task) -> tuple[int, str]:
            return run_kedro(60 * scheduler.timeout_minutes, "run", f"--pipeline={task.pipeline}")

        try:
            with pair_lock(str(folder), "hourly"):
                pairs = [*names] or parameters["pairs"]
                runs = Job(open_catalog(env), pairs, scheduler.max_attempts, run_task, log).run()
                if not runs:
                    log.write("nothing is due in this hour")
                if runs and not names:
                    code, reason = run_kedro(PRUNE_SECONDS, "prune")
                    log.write(f"pruning MLflow failed: {reason}" if code else reason, failed=code != 0)
                if not names:
                    try:
                        result = run_checks(env)
                        log.write(result.summary if result else "another process is running the checks")
                    except MakeUsRichError as exc:
                        log.write(f"the checks failed: {exc}", failed=True)
                return all(each.ok for each in runs)
        except LockedError:
            log.write("the previous job is still running; this one ends")
            return True


def exit_on_signals() -> None:
    """End the current run in an orderly way when the container stops or the terminal is closed, except under nohup."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: sys.exit(128 + number))
