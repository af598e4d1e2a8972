"""Delete old runs from MLflow, except those that made a champion."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Collection
from datetime import datetime, timedelta

from make_us_rich.catalog import open_config
from make_us_rich.domain.errors import StorageError
from make_us_rich.domain.run import utc_now
from make_us_rich.repository import ModelRepository
from make_us_rich.scheduler.due import SchedulerParameters


def prune(env: str | None = None) -> str:
    """Delete the runs that are older than ``scheduler.mlflow_retention_days``; those that made a champion stay.

    Returns:
        A message.

    Raises:
        ParameterError: The project's configuration is wrong.
        StorageError: MLflow cannot be used.
    """
    config, repository = open_config(env), ModelRepository.open(env)
    days = SchedulerParameters.model_validate(config["parameters"]["scheduler"]).mlflow_retention_days
    champions = {each.version for pair in repository.pairs for each in repository.pointer(pair).promotions}
    uri, experiment = config["mlflow"]["server"]["mlflow_tracking_uri"], config["mlflow"]["tracking"]["experiment"]
    deleted = prune_runs(uri, experiment["name"], utc_now() - timedelta(days=days), champions)
    return f"{deleted} runs older than {days} days were deleted from MLflow"


def prune_runs(uri: str, experiment: str, before: datetime, retained: Collection[str]) -> int:
    """Delete the old runs of an experiment.

    In a SQLite file they are gone at once, with their artifacts. On a server they are marked as deleted: ``mlflow gc``
    needs the password of its database for the rest.

    Args:
        uri: MLflow's tracking URI.
        experiment: Its name.
        before: Runs that started earlier are deleted, UTC; their number is returned.
        retained: Versions whose runs stay.

    Raises:
        StorageError: MLflow cannot be used.
    """
    from mlflow import MlflowClient
    from mlflow.cli import gc
    from mlflow.entities import ViewType
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        client = MlflowClient(uri)
        found = client.get_experiment_by_name(experiment)
        if found is None:
            return 0
        query = f"attributes.start_time < {int(before.timestamp() * 1000)}"
        # MLflow's limit, the newest first; older ones are found the next time.
        started = client.search_runs([found.experiment_id], query, ViewType.ALL, max_results=50_000)
        old = [run for run in started if run.data.tags.get("version") not in retained]
        active = [run.info.run_id for run in old if run.info.lifecycle_stage == "active"]
        for run_id in active:
            client.delete_run(run_id)
        if uri.startswith("sqlite:") and old:
            run_ids = ",".join(run.info.run_id for run in old)
            with contextlib.redirect_stdout(io.StringIO()):
                options = ["--backend-store-uri", uri, "--tracking-uri", uri, "--run-ids", run_ids]
                gc.main(options, standalone_mode=False)
    except (MlflowException, SQLAlchemyError) as exc:
        raise StorageError(f"MLflow at {uri} cannot be pruned: {str(exc).splitlines()[0]}") from exc
    return len(active)
