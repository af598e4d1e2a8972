"""Where an API under test keeps things: files of its own, or servers as in production."""

import json
import socket
import socketserver
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import s3fs

from synthetic import store


@dataclass
class Place:
    """A project whose environment ``local`` says where its store is.

    Attributes:
        project: Its folder; what is published is made here first.
        database_url: Of its accounts.
        root: Of its store: the folder ``data``, or an address in a bucket.
        credentials: Of the store.
    """

    project: Path
    database_url: str
    root: str = "data"
    credentials: dict[str, Any] = field(default_factory=dict)

    def publish(self, version: str) -> None:
        """Make a version the champion of btc_usdt."""
        store(self.project, version)
        self.send()

    def send(self) -> None:
        """Make the store hold what lies in the folder, and nothing else."""
        if not self.root.startswith("s3://"):
            return
        fs, folder = s3fs.S3FileSystem(**self.credentials), self.project / "data"
        content = {f"{self.root}/{path.relative_to(folder)}": path for path in folder.rglob("*") if path.is_file()}
        there = fs.find(f"{self.root}/")
        for name in set(there) - {name.removeprefix("s3://") for name in content}:
            fs.rm_file(name)
        for name, path in content.items():
            fs.pipe_file(name, path.read_bytes())

    def configure(self) -> None:
        """Write it into ``conf/local``."""
        written = {
            "globals.yml": {"root": self.root},
            "credentials.yml": {"storage": self.credentials},
            "parameters.yml": {"pairs": ["btc_usdt"]},
        }
        for name, content in written.items():
            (self.project / "conf/local" / name).write_text(json.dumps(content))


class Way:
    """A way to a server on this machine, which can be closed and opened again."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._open: set[socket.socket] = set()
        self.port = 0
        self.start()

    def start(self) -> None:
        """Open it, at the same port as before."""
        way = self

        class Going(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                way._go(self.request)

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Going)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Close it, and every connection."""
        self._server.shutdown()
        self._server.socket.close()
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _go(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._target)) as server:
            self._open |= {client, server}
            back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
            back.start()
            _pass_on(client, server)
            back.join()
            self._open -= {client, server}


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(65_536):
            target.sendall(part)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
