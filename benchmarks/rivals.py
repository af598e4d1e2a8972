"""The graph of a published model behind other servers, on this machine, for the API to be compared with."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
GRAPH = "MAKE_US_RICH_BENCHMARK_GRAPH"
"""The variable that names the graph's file."""

Numbers = list[list[list[float]]]

_SAVE = "import sys, mlflow.onnx, onnx; mlflow.onnx.save_model(onnx.load(sys.argv[1]), 'model')"


@dataclass(frozen=True)
class Rival:
    """Another server.

    Attributes:
        package: What has to be installed.
        path: Where it forecasts.
        body: What it is sent for some features.
        prepare: What is run first, in an empty folder; its last argument is the graph's file.
        serve: What starts it there; its last argument is the port.
    """

    package: str
    path: str
    body: Callable[[Numbers], dict[str, Any]]
    prepare: list[str]
    serve: list[str]

    def request(self, features: Numbers) -> bytes:
        """A whole request."""
        return post(self.path, self.body(features))

    @contextmanager
    def serving(self, graph: Path, folder: Path, port: int, features: Numbers) -> Iterator[None]:
        """Start it, wait until it has forecast once, and end it with all its workers."""
        folder.mkdir()
        variables = {**os.environ, GRAPH: str(graph), "PYTHONPATH": str(REPOSITORY)}
        variables["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        if self.prepare:
            subprocess.run([*self.prepare, str(graph)], cwd=folder, env=variables, check=True, capture_output=True)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*self.serve, str(port)], cwd=folder, env=variables, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._until_it_answers(process, port, features)
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=60)

    def _until_it_answers(self, process: "subprocess.Popen[bytes]", port: int, features: Numbers) -> None:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{port}{self.path}",
            json.dumps(self.body(features)).encode(),
            {"Content-Type": "application/json"},
        )
        begun = time.monotonic()
        while process.poll() is None and time.monotonic() - begun < 120:
            try:
                urllib.request.urlopen(asked, timeout=30).read()
            except urllib.error.HTTPError as error:
                raise SystemExit(f"{self.package} answers {error.code}: {error.read()[:500]!r}") from error
            except OSError:
                time.sleep(0.2)
            else:
                return
        raise SystemExit(f"the server of {self.package} does not get ready")


def post(path: str, body: dict[str, Any], *headers: str) -> bytes:
    """What an ordinary client sends."""
    sent = json.dumps(body).encode()
    head = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        "Accept: application/json",
        "User-Agent: benchmark",
        f"Content-Length: {len(sent)}",
        *headers,
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + sent


MLFLOW = Rival(
    package="mlflow",
    path="/invocations",
    body=lambda features: {"inputs": {"features": features}},
    prepare=[sys.executable, "-c", _SAVE],
    serve=[
        *(sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", "model", "--env-manager", "local"),
        *("--host", "127.0.0.1", "--workers", "1", "--port"),
    ],
)
