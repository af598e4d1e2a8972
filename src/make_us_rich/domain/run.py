"""What a node may know of the run that it is part of."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from make_us_rich.domain.pair import Pair


def utc_now() -> datetime:
    """The time of day, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class RunContext:
    """Given to nodes as ``{pair}.run``.

    Attributes:
        pair: The pair that the node works for.
        version: The version under which the run's artifacts are saved.
        started_at: UTC.
        git_revision: Commit of the code, or ``unknown``.
        clock: The time of day, UTC: a promotion is dated when it happens, not when its run began.
    """

    pair: Pair
    version: str
    started_at: datetime
    git_revision: str
    clock: Callable[[], datetime] = utc_now
