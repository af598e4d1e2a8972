"""For users of the API: clients, the schemas of its answers and its errors; the interface uses them, too."""

from typing import TYPE_CHECKING, Any

from make_us_rich.client.errors import (
    ApiError,
    InvalidRequestError,
    QuotaExceededError,
    UnauthorizedError,
    UnavailableError,
    UnknownPairError,
)

if TYPE_CHECKING:
    from make_us_rich.client.api import AsyncClient, Client

__all__ = [
    "ApiError",
    "AsyncClient",
    "Client",
    "InvalidRequestError",
    "QuotaExceededError",
    "UnauthorizedError",
    "UnavailableError",
    "UnknownPairError",
]


def __getattr__(name: str) -> Any:
    """The clients, on first use: the API reads the schemas, and httpx would make its start longer."""
    if name not in ("AsyncClient", "Client"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from make_us_rich.client import api

    return getattr(api, name)
