"""Where a run's record is in MLflow's own interface, by the tag ``version`` that every run has."""

import os
from urllib.parse import quote

import httpx
import streamlit as st

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


# None is kept as well, so that an MLflow that hangs holds up one page a minute and no more.
@st.cache_data(ttl=60, max_entries=8, show_spinner=False)
def _experiment(url: str) -> str | None:
    """The number of our experiment, if MLflow tells it."""
    path = f"{url}/api/2.0/mlflow/experiments/get-by-name"
    try:
        answer = httpx.get(path, params={"experiment_name": EXPERIMENT}, timeout=_SECONDS, trust_env=False)
        return str(answer.raise_for_status().json()["experiment"]["experiment_id"])
    except (httpx.HTTPError, LookupError, ValueError):
        return None
