"""One pair's run: what a process elsewhere needs to start it, and its result."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

ALL = "all"
"""Stands for a pair's name in a pipeline's: ``all`` for ``btc_usdt``, ``tune_all`` for ``tune_btc_usdt``."""


@dataclass(frozen=True)
class PairRun:
    """One pair's run.

    Attributes:
        session: Arguments of ``KedroSession.create``.
        arguments: Arguments of the session's run.
        exchange_weight: Request weight that this machine may use in a minute.
        networks: The run trains networks.
    """

    pair: str
    session: Mapping[str, Any]
    arguments: Mapping[str, Any]
    exchange_weight: int
    networks: bool


class RunStatus(StrEnum):
    """How a pair's run ended; ``done`` is a run that has published nothing."""

    PUBLISHED = "published"
    DONE = "done"
    FAILED = "failed"
    LOCKED = "locked"
    KILLED = "killed"


@dataclass(frozen=True)
class RunResult:
    """The result of a pair's run.

    Attributes:
        message: What is served now, or why the run failed; one line.
        seconds: Wall time, start-up included.
        peak_mb: Peak memory of the process, including what it shares with others.
        worker: Name of the Dask worker; empty on this machine.
    """

    pair: str
    status: RunStatus
    message: str
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: int = 0
    worker: str = ""

    @property
    def failed(self) -> bool:
        """Whether the run failed, was refused or killed."""
        return self.status in (RunStatus.FAILED, RunStatus.LOCKED, RunStatus.KILLED)

    @property
    def line(self) -> str:
        """The result in one line."""
        where = f" at {self.worker}" if self.worker else ""
        return f"{self.pair}: {'FAILED: ' if self.failed else ''}{self.message} ({self.seconds:.1f} s{where})"

    @classmethod
    def killed(cls, pair: str) -> "RunResult":
        """The result of a process that ended without one."""
        remedy = "lower running.workers and run the pair again"
        return cls(pair, RunStatus.KILLED, f"{pair}: its process was killed (possibly out of memory); {remedy}")


def own_pipelines(names: Iterable[str] | None, pair: str) -> tuple[str, ...]:
    """A pair's share of pipelines, those of all pairs where none is named.

    >>> own_pipelines(["all", "tune_eth_usdt"], "btc_usdt")
    ('btc_usdt',)
    """
    expanded = (ALL if name == "__default__" else name for name in names or [ALL])
    own = (name.removesuffix(ALL) + pair if is_of_all(name) else name for name in expanded)
    return tuple(name for name in own if name == pair or name.endswith(f"_{pair}"))


def is_of_all(name: str) -> bool:
    """Whether a pipeline is one of all pairs: ``all``, ``tune_all``."""
    return name == ALL or name.endswith(f"_{ALL}")


def is_filtered(run_params: Mapping[str, Any]) -> bool:
    """Whether only some of the pipeline's nodes were asked for."""
    filters = ("tags", "node_names", "from_nodes", "to_nodes", "from_inputs", "to_outputs", "namespaces")
    return any(run_params.get(name) for name in filters)
