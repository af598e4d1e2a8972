"""MLflow's record of runs does not grow for ever: what is old is deleted, but for the runs of champions."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from make_us_rich.catalog import load_pointer, open_catalog, open_config
from make_us_rich.domain.errors import StorageError
from make_us_rich.domain.run import utc_now
from make_us_rich.hourly.parameters import HourlyParameters

if TYPE_CHECKING:
    from mlflow.entities import Run

PAGE = 1000
"""Runs that MLflow is asked for at a time."""


def prune(env: str | None = None, clock: Callable[[], datetime] = utc_now) -> str:
    """Delete the runs that are older than ``hourly.mlflow_days``; those that made a champion stay.

    Args:
        env: Environment, as in ``open_config``.
        clock: The machine's time, UTC.

    Returns:
        What was done, in words.

    Raises:
        ParameterError: The project's configuration is wrong.
        StorageError: MLflow cannot be used.
    """
    config, catalog = open_config(env), open_catalog(env)
    parameters: dict[str, Any] = config["parameters"]
    days = HourlyParameters.model_validate(parameters["hourly"]).mlflow_days
    pointers = (load_pointer(catalog, pair) for pair in parameters["pairs"])
    champions = {each.version for pointer in pointers for each in pointer.promotions}
    server, tracking = config["mlflow"]["server"], config["mlflow"]["tracking"]
    address, experiment = server["mlflow_tracking_uri"], tracking["experiment"]["name"]
    deleted = prune_runs(address, experiment, clock() - timedelta(days=days), champions)
    return f"{deleted} runs of MLflow's are older than {days} days and were deleted"


def prune_runs(address: str, experiment: str, before: datetime, kept: Collection[str]) -> int:
    """Delete the runs of an experiment.

    In a SQLite file they are gone at once, with their artifacts. Of a server they are marked as deleted: only where its
    database's password is known can ``mlflow gc`` do the rest.

    Args:
        address: MLflow's tracking URI.
        experiment: Its name.
        before: Runs that began earlier are deleted, UTC.
        kept: Versions whose runs stay.

    Returns:
        How many were deleted.

    Raises:
        StorageError: MLflow cannot be used.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    from mlflow import MlflowClient

    try:
        client = MlflowClient(address)
        old = [run for run in _begun(client, experiment, before) if run.data.tags.get("version") not in kept]
        active = [run.info.run_id for run in old if run.info.lifecycle_stage == "active"]
        for run_id in active:
            client.delete_run(run_id)
        if address.startswith("sqlite:") and old:
            _collect(address, [run.info.run_id for run in old])
    except (MlflowException, SQLAlchemyError) as exc:
        raise StorageError(f"MLflow's record at {address} cannot be pruned: {str(exc).splitlines()[0]}") from exc
    return len(active)


def _begun(client: Any, experiment: str, before: datetime) -> Iterator[Run]:
    """All runs that began before a moment, those that are marked as deleted among them."""
    from mlflow.entities import ViewType

    found = client.get_experiment_by_name(experiment)
    if found is None:
        return
    chosen, page = f"attributes.start_time < {int(before.timestamp() * 1000)}", None
    while True:
        runs = client.search_runs([found.experiment_id], chosen, ViewType.ALL, PAGE, page_token=page)
        yield from runs
        page = runs.token
        if not page:
            return


def _collect(address: str, run_ids: list[str]) -> None:
    """What ``mlflow gc`` does, which tells of every run."""
    from mlflow.cli import gc

    with contextlib.redirect_stdout(io.StringIO()):
        arguments = ["--backend-store-uri", address, "--tracking-uri", address, "--run-ids", ",".join(run_ids)]
        gc.main(arguments, standalone_mode=False)
