"""What MLflow shows: the address of the runs, and its model registry, which follows the champion and serves nothing."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from make_us_rich.inference.session import INPUT, CandleSession
from make_us_rich.storage import explain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from make_us_rich.domain.champion import ChampionPointer
    from make_us_rich.domain.manifest import Published

log = logging.getLogger(__name__)

SERVER = "http://127.0.0.1:5000"
"""Where ``kedro mlflow ui`` shows the runs of a SQLite file, unless another address is given."""

ALIAS = "champion"


def page(experiment_id: str, view: str, server: str = SERVER) -> str:
    """The address of an experiment's runs in MLflow; the view is ``/`` and a run, or a query."""
    return f"{server}/#/experiments/{experiment_id}/runs{view}"


def runs_page(settings: Mapping[str, Any], server: str = SERVER) -> str:
    """The address of the runs in MLflow's view for trained models, with the columns of conf/base/mlflow.yml.

    Args:
        settings: The content of ``mlflow.yml``.
        server: Where MLflow's pages are, if its store is a file.
    """
    from mlflow import MlflowClient

    uri = settings["server"]["mlflow_tracking_uri"]
    found = MlflowClient(uri).get_experiment_by_name(settings["tracking"]["experiment"]["name"])
    base = uri.rstrip("/") if uri.startswith("http") else server
    view = "?workflowType=machine_learning&viewStateShareKey=gate"
    return page(found.experiment_id, view, base) if found else base


@contextmanager
def warn_of_errors(pair: str) -> Iterator[None]:
    """What fails in the registry is a warning: the champion pointer alone decides what is served."""
    try:
        yield
    except Exception as exc:
        line = explain(exc) or f"{type(exc).__name__}: {exc}"
        log.warning("%s: MLflow's registry does not follow the champion: %s", pair, line)


def move_alias(client: Any, pointer: ChampionPointer) -> bool:
    """Move the alias of a pair's registered model to the version that is served.

    Args:
        client: An ``mlflow.MlflowClient``.
        pointer: The champion pointer after the promotion.

    Returns:
        Whether that version is registered.
    """
    found = client.search_model_versions(f"name='{pointer.pair}' and tags.version='{pointer.version}'")
    if found and ALIAS not in found[0].aliases:
        client.set_registered_model_alias(pointer.pair, ALIAS, found[0].version)
    return bool(found)


def register(client: Any, published: Published, klines: pd.DataFrame, run_id: str) -> None:
    """Register a published version from the MLflow run that made it.

    Args:
        client: An ``mlflow.MlflowClient``.
        published: The version; its tags are ``version``, ``verdict`` and ``architecture``.
        klines: Closed candles; the newest ones are the model's input example.
        run_id: The run, which gets the model as its artifact ``model``.
    """
    from mlflow.exceptions import MlflowException

    manifest = published.manifest
    with TemporaryDirectory() as folder:
        write_model(Path(folder), published, klines)
        client.log_artifacts(run_id, folder, "model")
    try:
        client.get_registered_model(manifest.pair)
    except MlflowException:
        client.create_registered_model(manifest.pair)
    tags = {"version": manifest.version, "verdict": manifest.verdict.reason, "architecture": manifest.architecture}
    source = f"{client.get_run(run_id).info.artifact_uri}/model"
    client.create_model_version(manifest.pair, source, run_id, tags, await_creation_for=0)


def write_model(folder: Path, published: Published, klines: pd.DataFrame) -> None:
    """Write a model as ``mlflow.onnx.save_model`` does, with signature and input example, in a tenth of its time.

    MLflow's own function looks through every installed package for the requirements: 0.7 s of CPU.
    """
    import mlflow.pyfunc
    from mlflow.models import Model, infer_signature
    from mlflow.models.utils import _save_example

    manifest = published.manifest
    name = f"{manifest.pair} {manifest.version}"
    session = CandleSession(published.onnx_model, name, manifest.reads, manifest)
    inputs = session.inputs(klines)
    model = Model(signature=infer_signature({INPUT: inputs}, session.quantiles(inputs)))
    _save_example(model, {INPUT: inputs}, str(folder))
    (folder / "model.onnx").write_bytes(published.onnx_model)
    written_by = manifest.packages["onnx"]
    model.add_flavor("onnx", onnx_version=written_by, data="model.onnx", providers=["CPUExecutionProvider"])
    mlflow.pyfunc.add_to_model(model, loader_module="mlflow.onnx", data="model.onnx")
    model.save(str(folder / "MLmodel"))
