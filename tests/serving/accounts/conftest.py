"""What every test of accounts needs."""

import pytest

from accounts_site import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
