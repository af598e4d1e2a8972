"""How the exchange is reached."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

_LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Access:
    """How the exchange is reached.

    Attributes:
        url: Its address without ``/api``, such as ``https://api.binance.com``.
        key: API key; public candles need none.
        secret: API secret.
        timeout: Seconds to wait for an answer.
    """

    url: str = field(repr=False)
    key: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    timeout: float = 10.0

    @property
    def address(self) -> str:
        """The address as it may be shown: without a user's name and password."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    @property
    def is_local(self) -> bool:
        """The exchange runs on this machine."""
        return urlsplit(self.url).hostname in _LOCAL
