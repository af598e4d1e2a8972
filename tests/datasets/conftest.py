"""Where a dataset is kept: a folder and a bucket, the same tests for both."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Store:
    """A root and the credentials to it."""

    root: str
    credentials: dict[str, Any] = field(default_factory=dict)

    def args(self, name: str) -> dict[str, Any]:
        return {"filepath": f"{self.root}/{name}", "credentials": self.credentials}


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Each test that asks for it runs twice."""
    if request.param == "folder":
        return Store(str(tmp_path / "store"))
    server = request.getfixturevalue("s3_server")
    return Store(f"s3://{request.getfixturevalue('shared_bucket')}/{secrets.token_hex(6)}", server.credentials())
