"""The one door to artifacts for whoever serves them: a catalog without a Kedro session, and its champions."""

import os
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from kedro.config import MissingConfigException, OmegaConfigLoader
from kedro.io import DataCatalog, DatasetError
from omegaconf.errors import OmegaConfBaseException

from make_us_rich.config import CONFIG_LOADER_ARGS, find_project, in_project
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.errors import ArtifactError, ParameterError
from make_us_rich.domain.manifest import Manifest
from make_us_rich.domain.widths import Widths
from make_us_rich.storage import explain, own_error

if TYPE_CHECKING:
    from make_us_rich.inference.champion import Champion

# OmegaConf's resolvers belong to the process: of two loaders at once, one would read the other's globals.
_RESOLVERS = Lock()
_PATH_KEYS = ("filepath", "path", "filename")


def open_config(env: str | None = None, project_path: str | Path | None = None) -> OmegaConfigLoader:
    """The project's configuration, as ``kedro run`` reads it.

    Args:
        env: Environment; None for ``KEDRO_ENV``, else ``local`` where there is one, else ``base``.
        project_path: The project's folder; None to find it.

    Raises:
        ParameterError: There is no such project or environment.
    """
    folder = (Path(project_path) if project_path else find_project()).resolve() / "conf"
    chosen = env or os.environ.get("KEDRO_ENV") or ("local" if (folder / "local").is_dir() else "base")
    if not (folder / chosen).is_dir():
        there = sorted(path.name for path in folder.glob("*/"))
        raise ParameterError(f"no environment {chosen!r} in {folder}: there are {', '.join(there) or 'none'}")
    with in_project(folder.parent):
        return OmegaConfigLoader(str(folder), env=chosen, **CONFIG_LOADER_ARGS)


def open_catalog(env: str | None = None, project_path: str | Path | None = None) -> DataCatalog:
    """The project's catalog, in a fraction of the time of a Kedro session.

    Args:
        env: Environment, as in ``open_config``.
        project_path: The project's folder; None to find it.

    Raises:
        ParameterError: There is no such project or environment, or its configuration is wrong.
    """
    folder = (Path(project_path) if project_path else find_project()).resolve()
    try:
        with _RESOLVERS, in_project(folder):
            config = open_config(env, folder)
            entries, credentials = config["catalog"], config["credentials"]
    except (OmegaConfBaseException, MissingConfigException, ValueError) as exc:
        raise ParameterError(explain(exc) or f"{folder / 'conf'}: {exc}") from exc
    return DataCatalog.from_config(_absolute(entries, folder), credentials)


def _absolute(entries: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Take relative paths from the project and not from the working directory, as Kedro does."""
    return {
        key: _absolute(value, folder) if isinstance(value, dict) else _absolute_path(key, value, folder)
        for key, value in entries.items()
    }


def _absolute_path(key: str, value: Any, folder: Path) -> Any:
    if key in _PATH_KEYS and isinstance(value, str) and "://" not in value:
        return (folder / value).as_posix()
    return value


def load_champion(catalog: DataCatalog, pair: str, as_of: datetime | None = None) -> "Champion":
    """The model that the pair's champion pointer names, freshly asked for and checked.

    Args:
        catalog: An open catalog; it may be kept for long.
        pair: Name such as ``btc_usdt``.
        as_of: The moment whose champion is wanted; None for now. Time-zone aware.

    Raises:
        ArtifactError: None is published, or one of its artifacts is missing or damaged.
        StorageError: The store failed.
    """
    return load_version(catalog, pair, _published(load_pointer(catalog, pair), as_of))


def load_version(catalog: DataCatalog, pair: str, version: str) -> "Champion":
    """One version of a pair's models, whether it is served or not, freshly asked for and checked.

    Raises:
        ArtifactError: One of its artifacts is missing or damaged.
        StorageError: The store failed.
    """
    from make_us_rich.inference.champion import Champion

    manifest = Manifest.read(_load(catalog, f"{pair}.manifest", version), f"{pair} {version}")
    _require_own(manifest, (pair, version))
    graph = _graph(catalog, manifest, "onnx_model")
    baseline = _graph(catalog, manifest, "baseline_onnx") if manifest.baseline else None
    widths = Widths.read(_load(catalog, f"{pair}.widths"), f"{pair} {version}")
    return Champion(manifest, graph, widths, baseline)


def load_pointer(catalog: DataCatalog, pair: str) -> ChampionPointer:
    """The pair's champion pointer as it is stored now; empty where nothing is.

    Raises:
        ArtifactError: It is damaged.
        StorageError: The store failed.
    """
    pointer: ChampionPointer = _load(catalog, f"{pair}.champion")
    return pointer


def _published(pointer: ChampionPointer, as_of: datetime | None) -> str:
    version = pointer.version if as_of is None else pointer.as_of(as_of)
    if version is None:
        when = "" if as_of is None else f" at {as_of:%Y-%m-%d %H:%M} UTC"
        raise ArtifactError(
            f"{pointer.pair}: no model is published{when}; run the pair: kedro run --pipeline={pointer.pair}"
        )
    return version


def _load(catalog: DataCatalog, name: str, version: str | None = None) -> Any:
    try:
        return catalog.load(name, version=version)
    except DatasetError as exc:
        own = own_error(exc)
        if own is not None:
            raise type(own)(str(own)) from exc
        what = f"{name} {version or ''}".strip()
        raise ArtifactError(f"{what}: {_missing(exc)}; roll back to another version, or run the pair again") from exc


def _missing(exc: DatasetError) -> str:
    absent = isinstance(exc.__cause__ and exc.__cause__.__cause__, FileNotFoundError)
    return "it is not stored" if absent else " ".join(str(exc).split())


def _require_own(manifest: Manifest, expected: tuple[str, str]) -> None:
    if (manifest.pair, manifest.version) != expected:
        raise ArtifactError(
            f"{' '.join(expected)}: the manifest is that of {manifest.pair} {manifest.version};"
            " roll back to another version, or run the pair again"
        )


def _graph(catalog: DataCatalog, manifest: Manifest, artifact: str) -> bytes:
    graph: bytes = _load(catalog, f"{manifest.pair}.{artifact}", manifest.version)
    manifest.verify(artifact, graph)
    return graph
