"""Whether a replay exchange, and not something else, is at an address."""

from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

IDENTITY = "make-us-rich-replay"
"""The ``Server`` header of every answer."""


def answers(url: str, timeout: float = 2.0) -> bool:
    """Whether a replay exchange answers at a URL, with or without ``/api``, within ``timeout`` seconds."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and _server_at(parts.hostname or "", parts.port, timeout) == IDENTITY
    except (OSError, HTTPException, ValueError):
        # Not reaching one is the answer to the question, not an error.
        return False


def _server_at(host: str, port: int | None, timeout: float) -> str | None:
    connection = HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", "/api/v3/ping")
        return connection.getresponse().getheader("Server")
    finally:
        connection.close()
