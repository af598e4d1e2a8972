"""A project with a published model, and the store that serves it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from make_us_rich.catalog import open_catalog
from serving.store.store import ModelsStore
from synthetic import STARTED, VERSION, lay_out, store


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one published version of btc_usdt."""
    store(lay_out(tmp_path), VERSION)
    return tmp_path


@pytest.fixture
def models_of() -> Callable[..., ModelsStore]:
    """The models store of a project."""

    def open_models(project: Path, *pairs: str, now: datetime = STARTED + timedelta(days=1)) -> ModelsStore:
        return ModelsStore(open_catalog("base", project), pairs or ("btc_usdt",), clock=lambda: now)

    return open_models
