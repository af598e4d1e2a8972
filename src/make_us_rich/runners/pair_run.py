"""What is asked for, for one pair: all that a process elsewhere needs to begin the run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from make_us_rich.exchange.budget import BINANCE_WEIGHT

ALL = "all"
"""Stands for a pair's name in a pipeline's: ``all`` for ``btc_usdt``, ``search_all`` for ``search_btc_usdt``."""

_FILTERS = ("tags", "node_names", "from_nodes", "to_nodes", "from_inputs", "to_outputs")
"""Arguments of a session's run that choose nodes by what only some pairs have."""


@dataclass(frozen=True)
class PairRun:
    """One pair's run.

    Attributes:
        pair: Name such as ``btc_usdt``.
        pipelines: Names of the pipelines, those of this pair.
        project: Folder of the project.
        env: Environment, or None for the default one.
        conf_source: Where the configuration is.
        parameters: What was given with ``--params``.
        nodes: Names of the nodes to run; None for all.
        load_versions: As given with ``--load-versions``.
        only_missing: Run only nodes whose outputs are missing.
        exchange_weight: What a machine may ask the exchange for in a minute.
        networks: It trains networks, so that what they need is better imported before.
    """

    pair: str
    pipelines: tuple[str, ...]
    project: str
    env: str | None
    conf_source: str
    parameters: Mapping[str, Any]
    nodes: tuple[str, ...] | None = None
    load_versions: Mapping[str, str] | None = None
    only_missing: bool = False
    exchange_weight: int = BINANCE_WEIGHT
    networks: bool = False

    def having(self, **parameters: Any) -> "PairRun":
        """The same run with some parameters."""
        return replace(self, parameters={**self.parameters, **parameters})


def own_pipelines(asked: Iterable[str], pair: str) -> tuple[str, ...]:
    """The pair's share of pipelines by their names.

    >>> own_pipelines(["all", "search_eth_usdt"], "btc_usdt")
    ('btc_usdt',)
    """
    names = (pair if name == "__default__" else _with_pair(name, pair) for name in asked)
    return tuple(name for name in names if name == pair or name.endswith(f"_{pair}"))


def _with_pair(name: str, pair: str) -> str:
    return name.removesuffix(ALL) + pair if is_of_all(name) else name


def is_of_all(name: str) -> bool:
    """A pipeline of every pair: ``all``, ``search_all``."""
    return name == ALL or name.endswith(f"_{ALL}")


def is_narrowed(run_params: Mapping[str, Any]) -> bool:
    """Only some of the pipeline's nodes were asked for."""
    return any(run_params.get(name) for name in (*_FILTERS, "namespaces"))
