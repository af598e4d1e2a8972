"""Why a request has failed: the error to raise, its remedy, and whether to send the request again."""

import math
import re
import warnings
from dataclasses import dataclass
from datetime import datetime, timedelta

from requests import RequestException, exceptions
from urllib3.exceptions import InvalidHeader, NameResolutionError, NewConnectionError
from urllib3.util import Retry

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
from make_us_rich.exchange.client import BinanceClient

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from binance.exceptions import BinanceAPIException, BinanceRequestException

DATA_ONLY = "https://data-api.binance.vision"
"""Where Binance serves public market data, and nothing else."""

CAUGHT = (BinanceAPIException, BinanceRequestException, RequestException, MakeUsRichError)
"""What a failed request raises; our own errors come from responses that do not hold candles."""

REFUSAL_SECONDS = 300.0
"""Assumed length of a refusal by the firewall, or of a ban that names no end."""

_AGAIN = "run the fetching pipeline again"
_REASONS = {
    403: "refuses this address by its firewall, which limits the rate of requests",
    418: "has banned this address for a while",
    429: "gets too many requests from here",
}


@dataclass(frozen=True)
class Failure:
    """The error to raise after ``max_attempts``; HTTP status and seconds of a refusal that holds for this address."""

    error: MakeUsRichError
    max_attempts: int = 4
    refused: tuple[int, float] | None = None


def diagnose(exc: Exception, client: BinanceClient, pair: Pair | None, now: datetime) -> Failure:
    """What a failed request about a pair, or about the time, means; ``now`` is this machine's time (UTC)."""
    about = f"{f'{pair.name.upper()}: ' if pair else ''}Binance at {client.address}"
    if isinstance(exc, BinanceRequestException):
        return Failure(ExchangeError(f"{about} sent half an answer", _AGAIN))
    if isinstance(exc, MakeUsRichError):
        return Failure(exc)
    if not isinstance(exc, BinanceAPIException):
        return _unreached(exc, client)
    status = exc.status_code
    firewall = status == 403 and exc.response.text.lstrip().startswith("<")
    if firewall or status in (418, 429):
        seconds = _refused_seconds(exc, now)
        return Failure(rate_limited(client, status, seconds, now), refused=(status, seconds) if seconds else None)
    if status >= 500:
        return Failure(ExchangeError(f"{about} failed (HTTP {status})", f"{_AGAIN} later"))
    return Failure(_final(exc, client, pair, about), max_attempts=1)


def _final(exc: BinanceAPIException, client: BinanceClient, pair: Pair | None, about: str) -> MakeUsRichError:
    """The error of a refusal that another request does not change."""
    status = exc.status_code
    if status == 451:
        message = f"Binance does not serve this location at {client.address} (HTTP 451)"
        return RestrictedLocationError(message, f"take its data-only address with --params=exchange_url={DATA_ONLY}")
    if pair and exc.code in (-1121, -1100):  # Unknown symbol, illegal characters.
        message = f"{pair} is not traded on Binance at {client.address} (symbol {pair.symbol})"
        return UnknownPairError(message, "check `pairs` in conf/base/parameters.yml")
    if status == 401 or exc.code in (-2014, -2015):
        remedy = "correct the exchange's key and secret in the credentials, or remove them: candles need none"
        return ExchangeError(f"{about} refuses the API key (HTTP {status})", remedy)
    reason = " ".join(str(exc.message).split())[:120]
    return ExchangeError(f"{about} refuses the request (HTTP {status}: {reason})", "check `exchange_url`")


def rate_limited(client: BinanceClient, status: int, seconds: float | None, now: datetime) -> RateLimitedError:
    """The error of a refusal that ends in so many seconds, or at an unknown time."""
    remedy = "try again in a few minutes"
    if seconds is not None:
        left = max(1, math.ceil(seconds))  # A wait of 0 s is over when the message is read.
        remedy = f"try again at {now + timedelta(seconds=left):%Y-%m-%d %H:%M:%S} UTC (in {left:,} s)"
    if status == 403:
        remedy += f", with a smaller `exchange_weight`, or take --params=exchange_url={DATA_ONLY}"
    return RateLimitedError(f"Binance at {client.address} {_REASONS[status]} (HTTP {status})", remedy)


def _refused_seconds(exc: BinanceAPIException, now: datetime) -> float | None:
    """How long a refusal holds: by its header, else by the end that a ban's message names; None if unknown."""
    try:
        return Retry().parse_retry_after(exc.response.headers.get("Retry-After", ""))
    except InvalidHeader:
        if end := re.search(r"until (\d{13})", str(exc.message)):
            return max(0.0, int(end[1]) / 1000 - now.timestamp())
    return None if exc.status_code == 429 else REFUSAL_SECONDS


def _unreached(exc: Exception, client: BinanceClient) -> Failure:
    """Nobody has answered. Fewer attempts where waiting is unlikely to help."""
    reason = getattr(exc.args[0], "reason", None) if exc.args else None
    match exc, reason:
        case ValueError(), _:
            message = f"`exchange_url` is {client.address!r}, no address"
            return Failure(ParameterError(message, "write it as https://api.binance.com"), max_attempts=1)
        case _, NameResolutionError():
            cause, attempts = "name not resolved", 1
        case exceptions.SSLError(), _:
            cause, attempts = "its certificate is not trusted", 1
        case exceptions.ConnectTimeout(), _:
            cause, attempts = "time-out while connecting", 2
        case _, NewConnectionError():
            refused = isinstance(reason.__cause__, ConnectionRefusedError)
            cause, attempts = "connection refused" if refused else "no route to it", 2
        case exceptions.Timeout(), _:
            cause, attempts = f"time-out: no answer within {client.timeout:g} s", 3
        case _:
            cause, attempts = "connection dropped", 4
    here = "start the replay exchange with `python -m make_us_rich.replay`"
    remedy = here if client.is_local else "try the replay exchange with --env=demo"
    error = ExchangeUnreachableError(
        f"Binance cannot be reached at {client.address} ({cause})",
        f"{remedy}, or another address with --params=exchange_url={DATA_ONLY}",
    )
    return Failure(error, attempts)
