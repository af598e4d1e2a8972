"""What an engine changes of this machine's network is as it was before, once the engine is gone."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TABLES = ("filter", "nat")
"""Of the packet filter; an engine adds chains and rules to these."""
LINKS = Path("/sys/class/net")
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


@contextmanager
def kept(note: Path) -> Iterator[None]:
    """Put back afterwards what there was: rules, bridges, whether packets are forwarded.

    Args:
        note: Where it is written meanwhile. What a run that was killed has left is put back by the next one.
    """
    if not note.exists():
        note.write_text(json.dumps(_now()))
    try:
        yield
    finally:
        _put_back(json.loads(note.read_text()))
        note.unlink()


def _now() -> dict[str, Any]:
    rules = {table: saved(table) for table in TABLES}
    return {"rules": rules, "bridges": sorted(bridges()), "forwarding": FORWARDING.read_text()}


def _put_back(before: dict[str, Any]) -> None:
    for link in sorted(bridges() - set(before["bridges"])):
        _run("ip", "link", "delete", link)
    for table, rules in before["rules"].items():
        if saved(table) != rules:
            _run("iptables-restore", "--table", table, given=rules)
    if FORWARDING.read_text() != before["forwarding"]:
        FORWARDING.write_text(before["forwarding"])


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
