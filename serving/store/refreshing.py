"""Keeps the stores new, in threads of their own: neither bucket nor exchange may hold the other, or a request."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

from serving.store.store import Shelf
from serving.store.stores import Stores

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Refresher:
    """Asks the store and the exchange again and again; whatever fails is tried again.

    Args:
        stores: To be kept new.
        models_seconds: Between two questions to the store.
        candles_seconds: Between two questions to the exchange.
    """

    def __init__(self, stores: Stores, models_seconds: float, candles_seconds: float) -> None:
        self.stores = stores
        self._models = ThreadPoolExecutor(1, thread_name_prefix="models")
        self._candles = ThreadPoolExecutor(1, thread_name_prefix="candles")
        self._every = {"models": models_seconds, "candles": candles_seconds}
        self._tasks: list[asyncio.Task[None]] = []
        self._begun = {"models": asyncio.Event(), "candles": asyncio.Event()}

    def start(self) -> None:
        """Begin; the first round begins now."""
        self._tasks = [
            asyncio.create_task(self._repeat("models", self._models, self.stores.refresh_models)),
            asyncio.create_task(self._repeat("candles", self._candles, self.stores.refresh_candles)),
        ]

    async def first_rounds(self) -> None:
        """Wait until store and exchange have been asked once, whatever came of it."""
        await asyncio.gather(*(begun.wait() for begun in self._begun.values()))

    async def stop(self) -> None:
        """End; a thread that waits for somebody is left to its time-out."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for threads in (self._models, self._candles):
            threads.shutdown(wait=False, cancel_futures=True)

    async def reload(self) -> Shelf:
        """Read every champion again now.

        Raises:
            StorageError: The store failed; nothing has changed.
        """
        return await self._change(self.stores.models.reload)

    async def serve_as_of(self, moment: datetime | None) -> Shelf:
        """Serve the champions of a moment, or of now.

        Raises:
            ArtifactError: There was none; nothing has changed.
            StorageError: The store failed; nothing has changed.
        """
        return await self._change(lambda: self.stores.models.serve_as_of(moment))

    async def _change(self, change: Callable[[], Shelf]) -> Shelf:
        shelf = await self._in(self._models, change)
        await self._in(self._models, self.stores.forecasts.update)
        return shelf

    async def _repeat(self, what: str, threads: ThreadPoolExecutor, work: Callable[[], None]) -> None:
        while True:
            with contextlib.suppress(_LoggedError):
                await self._in(threads, lambda: _logged(work))
            self._begun[what].set()
            await asyncio.sleep(self._every[what])

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(threads, work)


class _LoggedError(Exception):
    """What went wrong is in the log."""


def _logged(work: Callable[[], None]) -> None:
    try:
        work()
    except Exception as exc:
        # A round that nobody foresaw to fail must not be the last one.
        log.exception("a round failed; the next one follows")
        raise _LoggedError from exc
