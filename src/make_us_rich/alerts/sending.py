"""How a message reaches somebody: through Apprise, to any address that it understands."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from make_us_rich.alerts.masking import mask
from make_us_rich.domain.errors import ParameterError

if TYPE_CHECKING:
    import apprise

VARIABLE = "MAKE_US_RICH_ALERT_URLS"
"""Addresses, separated by spaces or commas: a Discord webhook, or anything of Apprise's."""

LONGEST = 1800
"""Characters of a message: Discord takes 2,000."""

log = logging.getLogger(__name__)


class Sender(Protocol):
    """Sends a message."""

    def send(self, title: str, body: str) -> bool:
        """Whether it has arrived everywhere; never raises."""


class AppriseSender:
    """Sends to addresses of Apprise; its package is imported with the first message.

    Args:
        addresses: Such as ``https://discord.com/api/webhooks/...``.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = tuple(addresses)

    @classmethod
    def from_environment(cls) -> AppriseSender:
        """To the addresses in ``MAKE_US_RICH_ALERT_URLS``; to nobody where it is not set."""
        return cls([each for each in re.split(r"[\s,]+", os.environ.get(VARIABLE, "")) if each])

    @property
    def silent(self) -> bool:
        """There is nobody to tell."""
        return not self._addresses

    def send(self, title: str, body: str) -> bool:
        """Whether it has arrived everywhere; what failed is in the log, which is all there is with nobody to tell."""
        if self.silent:
            return True
        try:
            return self._send(title, body if len(body) <= LONGEST else f"{body[: LONGEST - 1]}…")
        except Exception as exc:
            # Whatever a service of somebody else's does, the run that wanted to tell of it goes on.
            log.warning("the alert was not sent: %s: %s", type(exc).__name__, mask(str(exc)))
            return False

    def _send(self, title: str, body: str) -> bool:
        services = self._services()
        sent = bool(services.notify(title=title, body=body)) and len(services) == len(self._addresses)
        if not sent:
            log.warning("the alert did not arrive everywhere; it is tried again with the next round")
        return sent

    def _services(self) -> apprise.Apprise:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Of what its services import.
            import apprise

            # It tells addresses with their tokens.
            logging.getLogger("apprise").setLevel(logging.CRITICAL)
            services = apprise.Apprise()
            for number, address in enumerate(self._addresses, start=1):
                if not services.add(address):
                    log.warning("address %d of %s is none that Apprise understands", number, VARIABLE)
        return services


def require_addresses(sender: AppriseSender) -> None:
    """Say where addresses belong, where there are none.

    Raises:
        ParameterError: There is nobody to tell.
    """
    if sender.silent:
        raise ParameterError(f"{VARIABLE} is not set: give it a Discord webhook, or any address of Apprise's")
