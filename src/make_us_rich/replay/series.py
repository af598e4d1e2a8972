"""The candles of one symbol, and what of them can be seen at a moment."""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Protocol, overload

ZERO = "0.00000000"


class Rows(Protocol):
    """Candles as the JSON arrays that the exchange sends, in order of open time."""

    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, at: int, /) -> bytes: ...
    @overload
    def __getitem__(self, at: slice, /) -> Sequence[bytes]: ...


@dataclass(frozen=True)
class Series:
    """Every candle of a symbol in its finest interval.

    Attributes:
        step: Length of a candle in milliseconds.
        opens: Open times in milliseconds UTC, ascending, ``[candle]``.
        rows: The JSON array of each candle, ``[candle]``.
        merged: Candles of longer intervals that were asked for before, by interval and open time.
    """

    step: int
    opens: Sequence[int]
    rows: Rows
    merged: dict[tuple[str, int], bytes] = field(default_factory=dict)

    def settled(self, now: int) -> int:
        """Number of candles whose full length has passed at ``now``."""
        return bisect_left(self.opens, now - self.step + 1)

    def visible(self, now: int) -> int:
        """Number of candles that have opened at ``now``."""
        return bisect_right(self.opens, now)

    def closed(self, now: int) -> int:
        """Number of candles before the ones, if any, that are still open at ``now``."""
        last = self.visible(now)
        while last > self.settled(now) and not self._is_closed(last - 1, now):
            last -= 1
        return last

    def at(self, first: int, last: int, now: int) -> list[bytes]:
        """The candles ``first`` to ``last`` (exclusive) as they look at ``now``."""
        settled = max(first, min(last, self.settled(now)))
        return [*self.rows[first:settled], *(self._as_of(at, now) for at in range(settled, last))]

    def _as_of(self, at: int, now: int) -> bytes:
        return self.rows[at] if self._is_closed(at, now) else _just_opened(self.rows[at], self.step)

    def _is_closed(self, at: int, now: int) -> bool:
        opened, closes = self.opens[at], json.loads(self.rows[at])[6]
        full = opened + self.step - 1
        # An odd close time is honoured where it shortens the candle (the exchange stopped); else it is dirt.
        return (closes if opened < closes < full else full) < now


def _just_opened(row: bytes, step: int) -> bytes:
    """The candle with only what is known when it opens: nothing of the future shows."""
    opened, price = json.loads(row)[:2]
    candle = [opened, price, price, price, price, ZERO, opened + step - 1, ZERO, 0, ZERO, ZERO, "0"]
    return json.dumps(candle, separators=(",", ":")).encode()


class _Chosen:
    """Some of the rows, without copying them."""

    def __init__(self, rows: Rows, kept: list[int]) -> None:
        self._rows = rows
        self._kept = kept

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, at: int, /) -> bytes: ...
    @overload
    def __getitem__(self, at: slice, /) -> Sequence[bytes]: ...
    def __getitem__(self, at: int | slice, /) -> bytes | Sequence[bytes]:
        if isinstance(at, slice):
            return [self._rows[index] for index in self._kept[at]]
        return self._rows[self._kept[at]]


def without_share(series: Series, share: float, salt: str) -> Series:
    """The series less a share (0 to 1) of its candles; the salt alone decides which."""
    limit = int(share * 2**64)
    kept = [at for at, opened in enumerate(series.opens) if _draw(salt, opened) >= limit]
    return Series(series.step, [series.opens[at] for at in kept], _Chosen(series.rows, kept))


def _draw(salt: str, opened: int) -> int:
    return int.from_bytes(blake2b(f"{salt}:{opened}".encode(), digest_size=8).digest(), "big")
