"""Tells those who wait that a pair has a new forecast."""

import asyncio
from collections import defaultdict


class Announcer:
    """Belongs to one event loop; forecasts are made in threads.

    Attributes:
        closing: The process is about to end: nobody should wait any more.
        open: Those who are waiting.
    """

    def __init__(self) -> None:
        self.closing = False
        self.open = 0
        self._loop = asyncio.get_running_loop()
        self._events: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def announce(self, pair: str) -> None:
        """From any thread: there is a new forecast."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, pair)

    def next(self, pair: str) -> asyncio.Event:
        """Set with the next forecast; ask for it before looking whether there is one already."""
        return self._events[pair]

    def close(self) -> None:
        """Wake everybody for the last time."""
        self.closing = True
        for pair in list(self._events):
            self._wake(pair)

    def _wake(self, pair: str) -> None:
        self._events.pop(pair, asyncio.Event()).set()
