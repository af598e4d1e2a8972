"""Whether a replay exchange, and not something else, is at an address."""

from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

IDENTITY = "make-us-rich-replay"
"""The ``Server`` header of every answer."""


def answers(url: str, timeout: float = 2.0) -> bool:
    """Whether a replay exchange answers at a URL, with or without ``/api``, within ``timeout`` seconds."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        return False
    connection = HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("GET", "/api/v3/ping")
        return connection.getresponse().getheader("Server") == IDENTITY
    except (OSError, HTTPException):
        # Not reaching one is the answer to the question, not an error.
        return False
    finally:
        connection.close()
