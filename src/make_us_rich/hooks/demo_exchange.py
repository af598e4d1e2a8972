"""The demo environment brings its own exchange."""

import logging
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl

from make_us_rich.replay import ReplayServer, SimulatedMarket, answers

log = logging.getLogger(__name__)


class DemoExchangeHooks:
    """Starts a replay exchange for the run where ``globals.replay`` asks for one and none answers.

    It lives in a thread of the run's own process, on a free port: whatever ends the run ends it too, and two runs
    never share one that either may stop.
    """

    def __init__(self) -> None:
        self._server: ReplayServer | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Before the catalog is made, so that the exchange's address can be filled in."""
        loader = context.config_loader
        settings = loader["globals"]
        wanted: dict[str, Any] | None = settings.get("replay")
        if wanted is None or "exchange_url" in loader.runtime_params or answers(settings["exchange_url"]):
            return
        self._server = ReplayServer(SimulatedMarket(**wanted)).start()
        loader.runtime_params["exchange_url"] = self._server.url
        log.info("no replay exchange at %s: this run has its own, with simulated candles", settings["exchange_url"])

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Stop it."""
        self._stop()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Stop it."""
        self._stop()

    def _stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None
