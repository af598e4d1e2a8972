"""The other end of the warm process: starts it, asks it for runs, and ends it."""

import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

from make_us_rich.runners.outcome import Outcome, killed
from make_us_rich.runners.pair_run import PairRun

NETWORKS = ("torch", "pytorch_lightning")
"""What pairs that train networks import besides."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Each pair has one: with more, pairs side by side wait for one another's."""


class WarmProcess:
    """Runs pairs in processes of their own, each forked from one that has imported everything. Threads may share it.

    Example:
        >>> with WarmProcess(Path.cwd()) as warm:  # doctest: +SKIP
        ...     outcome = warm.run(run)
    """

    def __init__(self, project: Path, *, networks: bool = False) -> None:
        """Start it; it imports while others work.

        Args:
            project: Folder of the project.
            networks: Import what trains networks as well.
        """
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603
                [
                    sys.executable,
                    "-m",
                    "make_us_rich.runners.warm",
                    str(theirs.fileno()),
                    str(project),
                    *(NETWORKS if networks else ()),
                ],
                pass_fds=[theirs.fileno()],
                env={**os.environ, **{name: os.environ.get(name, "1") for name in THREADS}},
                start_new_session=True,
            )

    def run(self, run: PairRun) -> Outcome:
        """Run a pair and wait for its end, however it comes."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            try:
                socket.send_fds(self._control, [b"."], [theirs.fileno()])
                theirs.close()
                ours.sendall(pickle.dumps(run))
                ours.shutdown(socket.SHUT_WR)
                answer = ours.makefile("rb").read()
            except OSError:  # The warm process is gone, or was closed.
                return killed(run.pair)
        return pickle.loads(answer) if answer else killed(run.pair)  # noqa: S301

    def close(self) -> None:
        """End it and every run that is still going on."""
        self._control.close()
        self._process.wait()

    def __enter__(self) -> "WarmProcess":
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()
