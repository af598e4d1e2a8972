"""A python-binance client for any address."""

from concurrent.futures import ThreadPoolExecutor

from make_us_rich.exchange.access import Access
from make_us_rich.exchange.binance_api import Client

CONNECT_SECONDS = 3.0
"""How long a connection may take; an address that does not answer then will not."""


def open_client(access: Access) -> Client:
    """A python-binance client that has not asked anything yet."""
    # The constructor makes an event loop for web sockets and leaves it in the calling thread, open;
    # a thread of its own keeps it away from a caller that has one.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_make_client, access).result()


def _make_client(access: Access) -> Client:
    timeout = (min(CONNECT_SECONDS, access.timeout), access.timeout)
    client = Client(access.key, access.secret, requests_params={"timeout": timeout}, ping=False)
    client.loop.close()
    client.API_URL = f"{access.url}/api"
    # A proxy cannot reach what runs on this machine.
    client.session.trust_env = not access.is_local
    return client
