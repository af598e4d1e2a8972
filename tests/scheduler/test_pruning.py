"""Pruning on MLflow's own SQLite store."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from make_us_rich.domain.errors import StorageError
from make_us_rich.scheduler.pruning import prune_runs

# MLflow's own: its tables use what SQLAlchemy will remove, and importing its models warns.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload``", "ignore:.*Any type hint is inferred")
NOW = datetime(2025, 3, 1, tzinfo=UTC)


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/mlflow.db"


def record(address: str, folder: Path, days: int, version: str) -> Path:
    """Record a run of some days ago; its artifacts' folder."""
    from mlflow import MlflowClient

    client = MlflowClient(address)
    known = client.get_experiment_by_name("ours")
    experiment = known.experiment_id if known else client.create_experiment("ours", f"file://{folder}/artifacts")
    began = int((NOW - timedelta(days=days)).timestamp() * 1000)
    run = client.create_run(experiment, start_time=began, tags={"version": version})
    client.log_metric(run.info.run_id, "skill", 0.04)
    client.log_text(run.info.run_id, "a card", "card.md")
    return folder / "artifacts" / str(run.info.run_id)


def versions(address: str) -> set[str]:
    """Of the runs that are there, those that are marked as deleted among them."""
    from mlflow import MlflowClient
    from mlflow.entities import ViewType

    client = MlflowClient(address)
    experiment = client.get_experiment_by_name("ours")
    assert experiment is not None
    return {run.data.tags["version"] for run in client.search_runs([experiment.experiment_id], "", ViewType.ALL)}


def test_old_runs_are_gone_with_their_artifacts_and_those_of_champions_stay(address: str, tmp_path: Path) -> None:
    assert prune_runs(address, "ours", NOW, ()) == 0, "nothing has run yet"
    old = record(address, tmp_path, 31, "old")
    champion = record(address, tmp_path, 31, "champion")
    new = record(address, tmp_path, 29, "new")
    assert (old / "artifacts" / "card.md").exists()

    assert [prune_runs(address, "ours", NOW - timedelta(days=30), {"champion"}) for _ in range(2)] == [1, 0]

    assert versions(address) == {"champion", "new"}
    assert not (old / "artifacts").exists()
    assert (champion / "artifacts" / "card.md").exists()
    assert (new / "artifacts" / "card.md").exists()


def test_a_store_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database")

    with pytest.raises(StorageError, match=r"MLflow at sqlite:.*/mlflow\.db cannot be pruned"):
        prune_runs(f"sqlite:///{tmp_path}/mlflow.db", "ours", NOW, ())
