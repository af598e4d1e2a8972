"""What a node may know of the run that it is part of."""

from dataclasses import dataclass
from datetime import datetime

from make_us_rich.domain.pair import Pair


@dataclass(frozen=True)
class RunContext:
    """Given to nodes as ``{pair}.run``.

    Attributes:
        pair: The pair that the node works for.
        version: The version under which the run's artifacts are saved.
        started_at: UTC.
        git_revision: Commit of the code, or ``unknown``.
    """

    pair: Pair
    version: str
    started_at: datetime
    git_revision: str
