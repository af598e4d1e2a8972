"""What went wrong with a request, in words with a remedy."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from requests import RequestException, exceptions
from urllib3.exceptions import NameResolutionError, NewConnectionError

from make_us_rich.domain.errors import (
    ExchangeError,
    ExchangeUnreachableError,
    MakeUsRichError,
    ParameterError,
    RateLimitedError,
    RestrictedLocationError,
    UnknownPairError,
)
from make_us_rich.domain.pair import Pair
from make_us_rich.exchange.access import Access
from make_us_rich.exchange.binance_api import BinanceAPIException, BinanceRequestException
from make_us_rich.exchange.retries import Failure

DATA_ONLY = "https://data-api.binance.vision"
"""Where Binance serves public market data, and nothing else."""

CAUGHT: tuple[type[Exception], ...] = (
    BinanceAPIException,
    BinanceRequestException,
    RequestException,
    MakeUsRichError,
)
"""What a request raises when it fails; our own errors come from answers that are no candles."""

_UNKNOWN_SYMBOL = -1121
_ILLEGAL_CHARACTERS = -1100
_BAD_KEY = (-2014, -2015)


@dataclass(frozen=True)
class Asked:
    """What a request was about.

    Attributes:
        access: How the exchange is reached.
        pair: The pair it was about, or None for the time.
        clock: This machine's time (UTC).
    """

    access: Access
    pair: Pair | None
    clock: Callable[[], datetime]

    def diagnose(self, exc: Exception) -> Failure:
        """What a failed request means."""
        if isinstance(exc, BinanceAPIException):
            return self._refusal(exc)
        if isinstance(exc, BinanceRequestException):
            return Failure(self._error("sent half an answer", "run the fetching pipeline again"))
        if isinstance(exc, MakeUsRichError):
            return Failure(exc)
        return _unreached(exc, self.access)

    def _refusal(self, exc: BinanceAPIException) -> Failure:
        if exc.status_code in (418, 429):
            return self._too_many(exc)
        if exc.status_code == 451:
            return Failure(self._restricted(), tries=1)
        if exc.status_code >= 500:
            return Failure(self._error(f"failed (HTTP {exc.status_code})", "run the fetching pipeline again later"))
        if self.pair and _is_unknown_symbol(exc):
            return Failure(self._unknown(self.pair), tries=1)
        return Failure(self._refused(exc), tries=1)

    def _too_many(self, exc: BinanceAPIException) -> Failure:
        seconds = retry_after(exc.response.headers.get("Retry-After"), self.clock())
        until = "in a few minutes"
        if seconds is not None:
            told = max(1, math.ceil(seconds))  # Where no wait is asked for, this moment is over when it is read.
            until = f"at {self.clock() + timedelta(seconds=told):%Y-%m-%d %H:%M:%S} UTC (in {told:,} s)"
        why = "has banned this address for a while" if exc.status_code == 418 else "gets too many requests from here"
        text = f"Binance at {self.access.address} {why} (HTTP {exc.status_code}); try again {until}"
        return Failure(RateLimitedError(text), retry_after=seconds)

    def _restricted(self) -> RestrictedLocationError:
        return RestrictedLocationError(
            f"Binance does not serve this location at {self.access.address} (HTTP 451);"
            f" take its data-only address with --params=exchange_url={DATA_ONLY}"
        )

    def _unknown(self, pair: Pair) -> UnknownPairError:
        return UnknownPairError(
            f"{pair} is not traded on Binance at {self.access.address} (symbol {pair.symbol});"
            " check `pairs` in conf/base/parameters.yml"
        )

    def _refused(self, exc: BinanceAPIException) -> ExchangeError:
        if exc.status_code == 401 or exc.code in _BAD_KEY:
            remedy = "correct the exchange's key and secret in the credentials, or remove them: candles need none"
            return self._error(f"refuses the API key (HTTP {exc.status_code})", remedy)
        message = " ".join(str(exc.message).split())[:120]
        return self._error(f"refuses the request (HTTP {exc.status_code}: {message})", "check `exchange_url`")

    def _error(self, what: str, remedy: str) -> ExchangeError:
        about = f"{self.pair.name.upper()}: " if self.pair else ""
        return ExchangeError(f"{about}Binance at {self.access.address} {what}; {remedy}")


def retry_after(header: str | None, now: datetime) -> float | None:
    """The seconds that a ``Retry-After`` header asks for: a number of them or a date (RFC 9110, 10.2.3).

    Args:
        header: The header's text, or None.
        now: This machine's time (UTC).

    Returns:
        Seconds, not negative; None without a header that can be read.
    """
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def _is_unknown_symbol(exc: BinanceAPIException) -> bool:
    return exc.code == _UNKNOWN_SYMBOL or (exc.code == _ILLEGAL_CHARACTERS and "symbol" in str(exc.message))


def _unreached(exc: Exception, access: Access) -> Failure:
    if isinstance(exc, ValueError) and not isinstance(exc, exceptions.JSONDecodeError):
        remedy = "write it as https://api.binance.com"
        return Failure(ParameterError(f"`exchange_url` is {access.address!r}, no address; {remedy}"), tries=1)
    cause, tries = _cause(exc, access)
    replay = "Start the replay exchange with `python -m make_us_rich.replay`"
    remedy = replay if access.is_local else "Try the replay exchange with --env=demo"
    text = (
        f"Binance cannot be reached at {access.address} ({cause}). {remedy},"
        f" or another address with --params=exchange_url={DATA_ONLY}"
    )
    return Failure(ExchangeUnreachableError(text), tries=tries)


def _cause(exc: Exception, access: Access) -> tuple[str, int]:
    """In words, and how often to try: an address that nobody listens at is not worth waiting for."""
    reason = getattr(exc.args[0], "reason", None) if exc.args else None
    if isinstance(reason, NameResolutionError):
        return "name not resolved", 1
    if isinstance(exc, exceptions.SSLError):
        return "its certificate is not trusted", 1
    if isinstance(exc, exceptions.ConnectTimeout):
        return "time-out while connecting", 2
    if isinstance(reason, NewConnectionError):
        return "connection refused" if "refused" in str(reason) else "no route to it", 2
    if isinstance(exc, exceptions.Timeout):
        return f"time-out: no answer within {access.timeout:g} s", 3
    return "connection dropped", 4
