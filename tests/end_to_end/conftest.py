"""A project of its own for each test, and an exchange to ask."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from end_to_end.project import NOW, REPO, Project, bare_environment
from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket


@pytest.fixture(scope="session", autouse=True)
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Starts the fork server with a logging configuration that names completed nodes."""
    folder = tmp_path_factory.mktemp("fork_server")
    logging = yaml.safe_load((REPO / "conf" / "logging.yml").read_text())
    logging["loggers"]["kedro.runner"] = {"level": "INFO"}
    (folder / "logging.yml").write_text(yaml.safe_dump(logging))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**bare_environment(folder), "KEDRO_LOGGING_CONFIG": str(folder / "logging.yml")}.items():
            patch.setenv(name, value)
        Project.create(folder / "project", "").start("--version").ok()


@pytest.fixture(scope="session")
def market() -> SimulatedMarket:
    """A market whose candles are made once."""
    return SimulatedMarket(seed=7)


@pytest.fixture(scope="session")
def steady_exchange(market: SimulatedMarket) -> Iterator[ReplayServer]:
    """An exchange whose clock stands still and that never misbehaves."""
    with ReplayServer(market, Clock(NOW, speed=0)) as server:
        yield server


@pytest.fixture
def exchange(market: SimulatedMarket) -> Iterator[ReplayServer]:
    """An exchange that a test may let misbehave, or whose time it may change."""
    with ReplayServer(market, Clock(NOW, speed=0)) as server:
        yield server


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, steady_exchange: ReplayServer) -> Project:
    """A project whose champion was published by one run of the pair; not to be changed."""
    project = Project.create(tmp_path_factory.mktemp("trained") / "project", steady_exchange.url)
    project.run().ok()
    return project


@pytest.fixture
def project(trained: Project, tmp_path: Path) -> Project:
    """A project with a champion, to be changed."""
    return trained.copy(tmp_path / "project")


@pytest.fixture
def new_project(tmp_path: Path, steady_exchange: ReplayServer) -> Project:
    """A project in which nothing has run yet."""
    return Project.create(tmp_path / "project", steady_exchange.url)
