"""Configuration and catalog: found, checked and read as ``kedro run`` does, without a Kedro session."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from threading import Lock
from typing import Any

from kedro.config import MissingConfigException, OmegaConfigLoader
from kedro.io import DataCatalog
from kedro.utils import find_kedro_project
from omegaconf.errors import OmegaConfBaseException

from make_us_rich.domain.errors import ParameterError
from make_us_rich.storage import explain

PROJECT_VARIABLE = "MAKE_US_RICH_PROJECT"

# OmegaConf's resolvers belong to the process: of two loaders at once, one would read the other's globals.
RESOLVERS = Lock()
_PATH_KEYS = ("filepath", "path", "filename")
_chosen: ContextVar[Path | None] = ContextVar("project", default=None)


def open_config(env: str | None = None, project_path: str | Path | None = None) -> OmegaConfigLoader:
    """The project's configuration, as ``kedro run`` reads it.

    Args:
        env: Environment; None for ``KEDRO_ENV``, else ``local`` where there is one, else ``base``.
        project_path: The project's folder; None to find it.

    Raises:
        ParameterError: There is no such project or environment.
    """
    folder = (Path(project_path) if project_path else find_project()).resolve() / "conf"
    _check_project(folder.parent)
    chosen = env or os.environ.get("KEDRO_ENV") or ("local" if (folder / "local").is_dir() else "base")
    if not (folder / chosen).is_dir():
        there = sorted(path.name for path in folder.glob("*/"))
        raise ParameterError(f"no environment {chosen!r} in {folder}: there are {', '.join(there) or 'none'}")
    with in_project(folder.parent):
        return OmegaConfigLoader(str(folder), env=chosen, **CONFIG_LOADER_ARGS)


def open_catalog(env: str | None = None, project_path: str | Path | None = None) -> DataCatalog:
    """The project's catalog, in a fraction of the time of a Kedro session; arguments as for ``open_config``.

    Raises:
        ParameterError: There is no such project or environment, or its configuration is wrong.
    """
    folder = (Path(project_path) if project_path else find_project()).resolve()
    try:
        with RESOLVERS, in_project(folder):
            config = open_config(env, folder)
            entries, credentials = config["catalog"], config["credentials"]
    except (OmegaConfBaseException, MissingConfigException, ValueError) as exc:
        raise ParameterError(explain(exc) or f"{folder / 'conf'}: {exc}") from exc
    return DataCatalog.from_config(_absolute(entries, folder), credentials)


def _absolute(entries: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Take relative paths from the project and not from the working directory, as Kedro does."""
    made: dict[str, Any] = {}
    for key, value in entries.items():
        if isinstance(value, dict):
            made[key] = _absolute(value, folder)
        else:
            made[key] = store_root(value, folder) if key in _PATH_KEYS and isinstance(value, str) else value
    return made


def store_root(root: str, folder: Path) -> str:
    """The address that the configuration names as ``root``: a relative path is one of the project's folder."""
    return root if "://" in root else (folder / root).as_posix()


def find_project() -> Path:
    """The project's folder: upward from here, else as the environment says; ParameterError if there is none."""
    for folder in (find_kedro_project(Path.cwd()), os.environ.get(PROJECT_VARIABLE)):
        if folder and (Path(folder) / "conf").is_dir():
            return Path(folder).resolve()
    remedy = f"go to its folder, where conf/ is, or set {PROJECT_VARIABLE} to that folder"
    raise ParameterError(f"no project at or above {Path.cwd()}", remedy)


def _check_project(folder: Path) -> None:
    """Refuse what Kedro's configuration loader cannot read."""
    if special := sorted(set("[]{}?*") & set(str(folder))):
        message = f"{folder}: a project cannot be in a folder whose path contains {' '.join(special)}"
        raise ParameterError(message, "rename the folder")
    for file in (folder / "conf").rglob("*.yml"):
        try:
            file.read_text(encoding="utf-8")
        except UnicodeDecodeError as exc:
            raise ParameterError(f"{file}: the file is not UTF-8 ({exc.reason})", "save it as UTF-8") from exc


@contextmanager
def in_project(folder: Path) -> Iterator[None]:
    """Make ``${project:}`` mean this folder."""
    token = _chosen.set(folder)
    try:
        yield
    finally:
        _chosen.reset(token)


def resolve_variable(name: str, default: Any = ...) -> str | None:
    """The resolver ``${oc.env:NAME,default}``, in every file and not only in credentials.

    Raises:
        ParameterError: The variable is not set or empty, and there is no default.
    """
    value = os.environ.get(name)
    if value:
        return value
    if default is ...:
        raise ParameterError(f"environment variable {name} is not set", "set it (docs/publishing.md says to what)")
    return None if default is None else str(default)


CONFIG_LOADER_ARGS: dict[str, Any] = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"globals": "soft", "parameters": "soft", "mlflow": "soft"},
    "config_patterns": {"mlflow": ["mlflow*", "mlflow*/**", "**/mlflow*"]},
    # ``${project:}`` is the project's absolute path, as in ``sqlite:///${project:}/data/mlflow.db``.
    "custom_resolvers": {"oc.env": resolve_variable, "project": lambda: (_chosen.get() or find_project()).as_posix()},
}
"""Arguments of OmegaConfigLoader. Catalog entries and credentials of an environment replace those of base as
a whole; of parameters, only the keys that it names."""
