"""What an engine changes of this machine's network is as it was before, once the engine is gone."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TABLES = ("filter", "nat")
"""Of the packet filter; an engine adds chains and rules to these."""
LINKS = Path("/sys/class/net")
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


@contextmanager
def kept() -> Iterator[None]:
    """Put back afterwards what there was: rules, bridges, whether packets are forwarded."""
    rules, links, forwarding = {table: saved(table) for table in TABLES}, bridges(), FORWARDING.read_text()
    try:
        yield
    finally:
        for link in sorted(bridges() - links):
            _run("ip", "link", "delete", link)
        for table, before in rules.items():
            if saved(table) != before:
                _run("iptables-restore", "--table", table, given=before)
        if FORWARDING.read_text() != forwarding:
            FORWARDING.write_text(forwarding)


def saved(table: str) -> str:
    """A table as ``iptables-restore`` takes it, without dates and counters."""
    _run("iptables", "--table", table, "--list-rules")  # A table that nobody has looked at is not told of at all.
    lines = _run("iptables-save", "--table", table).splitlines()
    return "".join(re.sub(r"\[\d+:\d+\]", "[0:0]", line) + "\n" for line in lines if not line.startswith("#"))


def bridges() -> set[str]:
    """Names of all bridges."""
    return {link.name for link in LINKS.iterdir() if (link / "bridge").exists()}


def _run(*command: str, given: str | None = None) -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    return done.stdout
