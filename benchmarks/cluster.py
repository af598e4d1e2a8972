"""A Dask cluster on this machine, while something is measured or tested on it."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path


@contextlib.contextmanager
def cluster(
    project: Path, workers: int, environment: Mapping[str, str] = os.environ
) -> Iterator[tuple[str, list["subprocess.Popen[bytes]"]]]:
    """The address of a scheduler on loopback, and its workers ``w0``, ``w1``...; all stand in a project's folder."""
    from distributed import Client

    file = project / "scheduler.json"
    common = ("--no-dashboard", f"--scheduler-file={file}")
    worker = ("worker", "--nthreads=1", "--no-nanny", f"--local-directory={project}", *common)
    commands = [("scheduler", "--host=127.0.0.1", "--port=0", *common)]
    commands += [(*worker, f"--name=w{number}") for number in range(workers)]
    with contextlib.ExitStack() as running:
        _, *started = [running.enter_context(dask(project, command, environment)) for command in commands]
        with Client(scheduler_file=str(file), set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)
            address: str = client.scheduler.address
        yield address, started


@contextlib.contextmanager
def dask(folder: Path, command: tuple[str, ...], environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A command of Dask's while it is needed."""
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("dask")), *command],
        cwd=folder,
        env={**environment, "KEDRO_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
