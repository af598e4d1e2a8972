"""A Dask cluster on this machine, while something is measured on it."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def cluster(project: Path, workers: int) -> Iterator[str]:
    """The address of a scheduler on loopback that has so many workers; all of them stand in a project's folder."""
    from distributed import Client

    file = project / "scheduler.json"
    common = ("--no-dashboard", f"--scheduler-file={file}")
    with contextlib.ExitStack() as running:
        running.enter_context(dask(project, "scheduler", "--host=127.0.0.1", "--port=0", *common))
        for _ in range(workers):
            running.enter_context(dask(project, "worker", "--nthreads=1", "--no-nanny", *common))
        while not file.exists():
            time.sleep(0.1)
        address: str = json.loads(file.read_text())["address"]
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)
        yield address


@contextlib.contextmanager
def dask(folder: Path, *arguments: str) -> Iterator[None]:
    """A command of Dask's while it is needed."""
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("dask")), *arguments],
        cwd=folder,
        env={**os.environ, "KEDRO_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()
