"""A process that has done the slow imports once, and forks for every pair: ``python -m make_us_rich.runners.warm``.

A pair then starts in a tenth of a second instead of five, shares the memory of the imports with the others, and is
a process of its own all the same: it can fail, leak or be killed, and no other pair notices.

It has no threads of its own and opens no file, connection or MLflow store before it forks. Whoever started it holds
the other end of a socket. When that closes, however that came about, every pair is told to end, and is killed if it
does not.
"""

import contextlib
import ctypes
import gc
import importlib
import os
import pickle
import select
import signal
import socket
import sys
import time
from pathlib import Path
from types import FrameType

from make_us_rich.runners.outcome import Outcome
from make_us_rich.runners.pair_run import PairRun

IMPORTS = (
    "make_us_rich.settings",  # Before MLflow: it says how that logs.
    "kedro.framework.session",
    "kedro_mlflow.framework.hooks.mlflow_hook",
    "mlflow.store.tracking.sqlalchemy_store",
    "sqlalchemy.dialects.sqlite",
    "alembic.command",
    "git",
    "sklearn.preprocessing",
    "onnx.checker",
    "binance.client",
    "kedro_datasets.partitions",
    "pyarrow.parquet",
    "make_us_rich.pipeline_registry",
    "make_us_rich.datasets.exchange_klines",
    "make_us_rich.datasets.figure",
    "make_us_rich.datasets.onnx",
    "make_us_rich.datasets.served_model",
    "make_us_rich.datasets.stored",
    "make_us_rich.datasets.stored_klines",
    "make_us_rich.datasets.versions",
    "make_us_rich.exchange.failures",
    "make_us_rich.features.feature_set",
    "make_us_rich.runners.one_pair",
)
"""Not onnxruntime, which starts threads when it is imported: a fork would not have them."""

GRACE_SECONDS = 10.0
"""Between telling the pairs to end and killing them: time to give a lease back."""

_PR_SET_PDEATHSIG = 1


def main(control: socket.socket, project: Path, imports: tuple[str, ...]) -> None:
    """Import, then fork for each socket that comes, until no more can come."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # The kernel buries the children.
    from kedro.framework.startup import bootstrap_project

    os.chdir(project)
    for name in imports:
        importlib.import_module(name)
    bootstrap_project(project)
    gc.freeze()  # What is here stays, and a collection in a child must not copy its pages.
    _serve(control)
    _end_all()


def _serve(control: socket.socket) -> None:
    server = os.getpid()
    while True:
        select.select([control], [], [])
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return
        with socket.socket(fileno=descriptors[0]) as caller:
            if os.fork() == 0:
                control.close()
                _answer(caller, server)


def _answer(caller: socket.socket, server: int) -> None:
    """In the child: one pair, and out."""
    _die_with(server)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, _leave)
    from make_us_rich.runners.one_pair import log_as, run_pair

    run: PairRun = pickle.load(caller.makefile("rb"))  # noqa: S301
    log_as(run.pair)
    outcome: Outcome = run_pair(run)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # It is ending.
    with contextlib.suppress(BrokenPipeError):  # Nobody waits for it any more.
        caller.sendall(pickle.dumps(outcome))
    sys.exit()


def _die_with(server: int) -> None:
    """Be killed when the server ends, even if that was killed itself (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)


def _leave(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
    """End as Python ends, so that locks are given back; told twice, it ends once."""
    signal.signal(signum, signal.SIG_IGN)
    sys.exit(128 + signum)


def _end_all() -> None:
    """Tell every child to end; those that do not are killed with this process."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    while time.monotonic() < deadline:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.02)
        except ChildProcessError:
            return


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]), (*IMPORTS, *sys.argv[3:]))
