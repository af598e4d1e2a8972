"""MLflow's registry and addresses, on MLflow's own SQLite store."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.tracking import SERVER, move_alias, register, runs_page, warn_of_errors
from synthetic import STARTED, VERSION, published_version, simulated_klines

# MLflow's own: its tables use what SQLAlchemy will remove, and importing its models warns.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload``", "ignore:.*Any type hint is inferred")
POINTER = ChampionPointer(pair="btc_usdt").promote(VERSION, STARTED, "data whole")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture(scope="module")
def client(address: str) -> Any:
    """A client of a registry with one version, which a run of the experiment ``ours`` has made."""
    from mlflow import MlflowClient

    client = MlflowClient(address)
    folder = Path(address.removeprefix("sqlite:///")).parent
    run = client.create_run(client.create_experiment("ours", f"file://{folder}/artifacts"))
    assert not move_alias(client, POINTER)
    register(client, published_version(), simulated_klines(), run.info.run_id)
    return client


def test_the_registered_model_loads_in_mlflow_with_signature_and_example(address: str, client: Any) -> None:
    import mlflow

    assert move_alias(client, POINTER)
    mlflow.set_registry_uri(address)
    mlflow.set_tracking_uri(address)
    model = mlflow.pyfunc.load_model("models:/btc_usdt@champion")
    quantiles = model.predict(model.input_example)
    assert [each.name for each in model.metadata.signature.outputs] == list(quantiles) == ["close", "high", "low"]
    assert all(np.isfinite(values).all() and values.shape[1:] == (24, 21) for values in quantiles.values())
    assert mlflow.onnx.load_model("models:/btc_usdt@champion").graph.input[0].name == "features"


def test_the_alias_follows_the_pointer(client: Any) -> None:
    (first,) = client.search_model_versions("name='btc_usdt'")
    assert first.tags.items() >= {"version": VERSION, "architecture": "baseline"}.items()
    made = published_version()
    newer = replace(made, manifest=made.manifest.model_copy(update={"version": "2025-01-02T00.05.00.000Z"}))
    register(client, newer, simulated_klines(), first.run_id)

    promoted = POINTER.promote(newer.manifest.version, STARTED, "data whole")
    for pointer, version in ((promoted, 2), (promoted.promote(VERSION, STARTED, "rolled back"), 1)):
        assert move_alias(client, pointer)
        assert client.get_model_version_by_alias("btc_usdt", "champion").version == version


def test_the_page_of_the_runs_is_that_of_the_experiment(address: str, client: Any) -> None:
    (experiment,) = (each for each in client.search_experiments() if each.name == "ours")
    settings = {"server": {"mlflow_tracking_uri": address}, "tracking": {"experiment": {"name": "ours"}}}
    assert runs_page(settings).startswith(f"{SERVER}/#/experiments/{experiment.experiment_id}/runs?workflowType=")


def test_a_registry_that_fails_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with warn_of_errors("btc_usdt"):
        raise OSError("disk full")
    assert caplog.messages == ["btc_usdt: MLflow's registry does not follow the champion: OSError: disk full"]
