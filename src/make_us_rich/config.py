"""How configuration is read: the same for Kedro's command line and for ``open_catalog``."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from kedro.utils import find_kedro_project

from make_us_rich.domain.errors import ParameterError

PROJECT_VARIABLE = "MAKE_US_RICH_PROJECT"
_chosen: ContextVar[Path | None] = ContextVar("project", default=None)


def find_project() -> Path:
    """The project's folder: upward from here, else as the environment says.

    Raises:
        ParameterError: There is none.
    """
    found = find_kedro_project(Path.cwd())
    named = os.environ.get(PROJECT_VARIABLE)
    for folder in (found, named):
        if folder and (Path(folder) / "conf").is_dir():
            return Path(folder).resolve()
    raise ParameterError(
        f"no project at or above {Path.cwd()}: go to its folder, where conf/ is,"
        f" or set {PROJECT_VARIABLE} to that folder"
    )


@contextmanager
def in_project(folder: Path) -> Iterator[None]:
    """Make ``${project:}`` mean this folder."""
    token = _chosen.set(folder)
    try:
        yield
    finally:
        _chosen.reset(token)


def project() -> str:
    """The resolver ``${project:}``: the project's absolute path, as in ``sqlite:///${project:}/data/mlflow.db``."""
    return (_chosen.get() or find_project()).as_posix()


def store_root(root: str, folder: Path) -> str:
    """The address of the store that ``globals.root`` names: a relative path is one of the project's folder."""
    return root if "://" in root else str(folder / root)


def env(name: str, default: Any = ...) -> str | None:
    """The resolver ``${oc.env:NAME,default}``, in every file and not only in credentials.

    Raises:
        ParameterError: The variable is not set or empty, and there is no default.
    """
    value = os.environ.get(name)
    if value:
        return value
    if default is ...:
        raise ParameterError(f"environment variable {name} is not set; set it (docs/storage.md says to what)")
    return None if default is None else str(default)


CONFIG_LOADER_ARGS: dict[str, Any] = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"globals": "soft", "parameters": "soft", "mlflow": "soft"},
    "config_patterns": {"mlflow": ["mlflow*", "mlflow*/**", "**/mlflow*"]},
    "custom_resolvers": {"oc.env": env, "project": project},
}
"""Arguments of OmegaConfigLoader. Catalog entries and credentials of an environment replace those of base as
a whole; of parameters, only the keys that it names."""
