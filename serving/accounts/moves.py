"""When calls are on their way between this process and the database."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

_COUNTS = 1024
"""Users share this many counts, so that they never grow; who shares one disturbs another, which costs a question."""


class Moves:
    """Counts, by user, the moves that have begun and those that have ended."""

    def __init__(self) -> None:
        self._begun = [0] * _COUNTS
        self._ended = [0] * _COUNTS

    @contextmanager
    def of(self, users: Collection[int]) -> Iterator[None]:
        """Calls of these users are on their way."""
        counts = [user % _COUNTS for user in users]
        for count in counts:
            self._begun[count] += 1
        try:
            yield
        finally:
            for count in counts:
                self._ended[count] += 1

    def so_far(self, user_id: int) -> int | None:
        """A number that is another after each move of a user; None while one is under way."""
        begun = self._begun[user_id % _COUNTS]
        return begun if begun == self._ended[user_id % _COUNTS] else None
