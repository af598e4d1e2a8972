"""Where a run's record is in MLflow's own interface, by the tag ``version`` that every run has."""

import os
from functools import lru_cache
from urllib.parse import quote

import httpx

VARIABLE = "MAKE_US_RICH_MLFLOW_URL"
EXPERIMENT = "make_us_rich"
_SECONDS = 2.0


def mlflow_url() -> str | None:
    """Address of MLflow's interface, as a browser reaches it; None where the operator has not set one."""
    return (os.environ.get(VARIABLE) or "").rstrip("/") or None


def run_link(url: str, version: str) -> str:
    """The list of runs with the tag of a version; all experiments where MLflow does not answer."""
    number = _experiment(url)
    if number is None:
        return url
    wanted = f'tags.version = "{version}"'
    return f"{url}/#/experiments/{number}/runs?searchFilter={quote(wanted)}"


def _experiment(url: str) -> str | None:
    try:
        return _asked(url)
    except (httpx.HTTPError, LookupError, ValueError):
        return None


@lru_cache(8)
def _asked(url: str) -> str:
    """The number of our experiment; an exception is not remembered, so that MLflow may be started later."""
    path = f"{url}/api/2.0/mlflow/experiments/get-by-name"
    answer = httpx.get(path, params={"experiment_name": EXPERIMENT}, timeout=_SECONDS, trust_env=False)
    return str(answer.raise_for_status().json()["experiment"]["experiment_id"])
