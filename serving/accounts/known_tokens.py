"""Tokens that the database confirmed a moment ago, and tokens that it did not know."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from serving.accounts.quotas import Owner

_MOST_UNKNOWN = 10_000
_UNKNOWN_SECONDS = 5.0


@dataclass(slots=True)
class Known:
    """A token that was good when the database was asked.

    Attributes:
        owner: Whose.
        asked: When the database was asked, seconds.
        used: When it was last used, seconds.
    """

    owner: Owner
    asked: float
    used: float


class KnownTokens:
    """Tokens by hash, with bounded memory for those that are not good.

    A token that was good passes for `fresh` seconds without asking again, which is how long one that was revoked in
    another process may pass; while the database is down, it passes for `trusted` seconds.
    """

    def __init__(self, fresh: float, trusted: float) -> None:
        self._fresh = fresh
        self._trusted = max(trusted, fresh)
        self._good: dict[str, Known] = {}
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._forgotten = 0

    @property
    def version(self) -> int:
        """Changes with every revocation here, so that an older answer of the database is not believed."""
        return self._forgotten

    def fresh(self, token: str, now: float) -> Owner | None:
        """Whose token it is, where that was confirmed a moment ago."""
        return self._within(token, now, self._fresh)

    def trusted(self, token: str, now: float) -> Owner | None:
        """Whose token it was, for while the database is down."""
        return self._within(token, now, self._trusted)

    def _within(self, token: str, now: float, seconds: float) -> Owner | None:
        known = self._good.get(token)
        # A clock that was set back makes an entry old, not eternal.
        if known is None or not 0 <= now - known.asked < seconds:
            return None
        known.used = now
        return known.owner

    def is_unknown(self, token: str, now: float) -> bool:
        """Whether the database did not know it a moment ago."""
        asked = self._unknown.get(token)
        return asked is not None and 0 <= now - asked < _UNKNOWN_SECONDS

    def active(self, now: float) -> list[str]:
        """Tokens that were used lately, and will be again; the rest is dropped once nothing would trust it."""
        for token in [token for token, known in self._good.items() if now - known.asked >= self._trusted]:
            del self._good[token]
        return [token for token, known in self._good.items() if now - known.used < self._fresh]

    def learn(self, asked: list[str], owners: Mapping[str, Owner], now: float) -> None:
        """Take what the database said about tokens, when it was asked at `now`."""
        for token in asked:
            if token in owners:
                before = self._good.get(token)
                self._good[token] = Known(owners[token], now, before.used if before else now)
            else:
                self._good.pop(token, None)
                self._unknown[token] = now
                self._unknown.move_to_end(token)
        while len(self._unknown) > _MOST_UNKNOWN:
            self._unknown.popitem(last=False)

    def forget(self, user_id: int) -> None:
        """Ask again about every token of a user."""
        self._forgotten += 1
        self._good = {token: known for token, known in self._good.items() if known.owner.user_id != user_id}
