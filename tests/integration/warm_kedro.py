"""Runs Kedro commands in processes of their own, forked from one that has done the slow imports.

A command's process is a real one: it has its own session, folder and environment, it can be killed, and nothing
that it does is seen by another. It only starts in two seconds instead of eight, on two cores.

Modules that start threads of their own when imported (onnxruntime) are none of the slow ones: a fork would break them.

Reads one JSON object a line: ``folder`` (where its pid, output and exit code go), ``cwd``, ``env``, ``arguments``,
and optionally ``plain`` (root is to keep to file permissions).
"""

import ctypes
import importlib
import json
import os
import select
import signal
import sys
from pathlib import Path

SLOW = (
    "kedro.framework.cli.cli",
    "kedro.framework.cli.project",
    "kedro.framework.session",
    "kedro_mlflow.framework.hooks.mlflow_hook",
    "mlflow.store.tracking.sqlalchemy_store",
    "kedro_viz.launchers.cli.main",
    "sklearn.preprocessing",
    "onnx.checker",
    "binance.client",
    "kedro_datasets.partitions",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "kedro_viz.utils",
    "pathspec.gitignore",
    "s3fs",
    "IPython",
    "alembic.command",
    "git",
    "kedro_mlflow.framework.cli.cli",
    "kedro_telemetry.plugin",
    "mlflow.sklearn",
    "mlflow.tracing.processor.otel_metrics_mixin",
    "opentelemetry.sdk.trace",
    "sqlalchemy.dialects.sqlite",
    "make_us_rich.pipeline_registry",
    "make_us_rich.hooks.demo_exchange",
    "make_us_rich.hooks.run_checks",
    "make_us_rich.hooks.run_record",
    "make_us_rich.datasets.exchange_klines",
    "make_us_rich.datasets.figure",
    "make_us_rich.datasets.onnx",
    "make_us_rich.datasets.stored",
    "make_us_rich.datasets.stored_klines",
    "make_us_rich.datasets.versions",
    "make_us_rich.exchange.failures",
    "make_us_rich.features.feature_set",
    "make_us_rich.inference.champion",
)


def serve() -> dict | None:
    """Fork for every request; the request itself in the child, None at the end of the requests."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    folders: dict[int, Path] = {}
    rest = b""
    while True:
        ready, _, _ = select.select([0, reader], [], [])
        if reader in ready:
            os.read(reader, 4096)
            _reap(folders)
        if 0 in ready:
            read = os.read(0, 65_536)
            if not read:
                return None
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                request = json.loads(line)
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    return request
                folders[pid] = Path(request["folder"])
                _write(folders[pid] / "pid", str(pid))


def _reap(folders: dict[int, Path]) -> None:
    while folders:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        _write(folders.pop(pid) / "exit", str(os.waitstatus_to_exitcode(status)))


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)


def become(request: dict) -> None:
    """Make this process what the request asks for."""
    os.setsid()
    # What a shell starts in the background ignores it, and so would everything from there on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = Path(request["folder"])
    for descriptor, name in ((1, "output"), (2, "errors")):
        file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(file, descriptor)
        os.close(file)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv = ["kedro", *request["arguments"]]
    if request.get("plain"):
        obey_permissions()


def obey_permissions() -> None:
    """Give up root's leave to write where permissions forbid it (capabilities(7): CAP_DAC_*)."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    libc.capget(header, sets)
    sets[0] &= ~0b110
    sets[1] &= ~0b110
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capset")


if __name__ == "__main__":
    for name in SLOW:
        importlib.import_module(name)
    Path(sys.argv[1]).touch()
    wanted = serve()
    if wanted is not None:
        become(wanted)
        from kedro.framework.cli import main

        sys.exit(main())
