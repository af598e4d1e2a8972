"""Send messages through Apprise: a program of its own, which can connect to public addresses alone.

The guard is in the interpreter's audit of ``connect``: it sees the address after names are resolved and redirects are
followed, whatever library connects. The process has neither the API's memory nor its environment.

Standard input is JSON: ``allowed``, the addresses with ports that may be reached although they are not public, and
``messages``, each with a ``destination`` and, unless that is only to be checked, a ``title`` and a ``body``. For each
message one line of standard output has its position and what is wrong, or null.
"""

import ipaddress
import json
import resource
import socket
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import apprise

GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""Without the networks that stand for IPv4 addresses: mapped ones and those of NAT64."""
MAX_BYTES = 1_000_000_000
"""Memory, however much a service answers."""


def is_public(address: object) -> bool:
    """Whether a text is the IP address of one host in the public internet."""
    try:
        ip = ipaddress.ip_address(str(address))
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        return ip in GLOBAL_UNICAST and ip.is_global and ip.sixtofour is None
    return ip.is_global and not ip.is_multicast


@dataclass(frozen=True)
class Guard:
    """Refuses connections to addresses that are neither public nor allowed."""

    allowed: frozenset[tuple[str, int]]

    def permits(self, address: Any) -> bool:
        """Whether a socket's address may be reached: a tuple that begins with an IP address and a port."""
        return isinstance(address, tuple) and (is_public(address[0]) or address[:2] in self.allowed)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The audit hook; PermissionError for a connection that is refused."""
        if event == "socket.connect" and not self.permits(arguments[1]):
            raise PermissionError("the address is not public")

    def check(self, service: apprise.NotifyBase) -> str | None:
        """Why a service's own host must not be reached; None if it may, or if the host is the provider's."""
        is_own = getattr(service, "mode", None) == "private"  # Of ntfy.
        host = getattr(service, "smtp_host", None) or (service.host if is_own else None)
        if host is None:
            return None
        try:
            found = socket.getaddrinfo(host, service.port or (443 if service.secure else 80), type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            found = []
        # One reason for all, which says nothing about names of the private network.
        return None if found and all(self.permits(each[4]) for each in found) else "its host has no public address"


def handle(message: dict[str, str], guard: Guard) -> str | None:
    """Send a message, or check its destination; what is wrong, or None."""
    service = apprise.Apprise.instantiate(message["destination"])
    if not isinstance(service, apprise.NotifyBase):
        return "Apprise does not understand it"
    if (problem := guard.check(service)) or "body" not in message:
        return problem
    box = apprise.Apprise()
    box.add(service)
    text = apprise.NotifyFormat.TEXT
    return None if box.notify(title=message["title"], body=message["body"], body_format=text) else "not delivered"


def main() -> None:
    """Handle what standard input has."""
    request = json.load(sys.stdin)
    guard = Guard(frozenset((host, port) for host, port in request["allowed"]))
    sys.addaudithook(guard.audit)
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_BYTES, MAX_BYTES))
    with ThreadPoolExecutor(50) as pool:  # So many that a few slow services do not keep the others waiting.
        futures = {pool.submit(handle, each, guard): at for at, each in enumerate(request["messages"])}
        for future in as_completed(futures):
            error = future.exception()
            problem = type(error).__name__ if error else future.result()
            sys.stdout.write(json.dumps([futures[future], problem]) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
