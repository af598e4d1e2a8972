"""No secret leaves in a message or a log."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

MASK = "***"

_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|ACCESS_KEY|API_KEY|ALERT_URLS|DATABASE_URL", re.IGNORECASE)
_SHORTEST = 6
"""A value shorter than this masks half of every text."""

_PATTERNS = (
    (re.compile(r"(?<=://)[^/\s@]+(?=@)"), MASK),
    (
        re.compile(r"(?i)([?&;](?:[\w-]*(?:token|secret|password|signature|credential|api_?key)|key|sig)=)[^&\s'\"]+"),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)((?:discord(?:app)?\.com/api/webhooks|hooks\.slack\.com/services)/)[^\s'\"]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)(api\.telegram\.org/bot)[^\s'\"]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)((?:discord|slack|tgram|mailtos?|jsons?|xmls?|forms?)://)[^\s'\"]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)(bearer\s+)[\w.~+/=-]+"), rf"\1{MASK}"),
)


def mask(text: str, environment: Mapping[str, str] | None = None) -> str:
    """A text without credentials: those in addresses, and the values of variables that are named like secrets.

    Args:
        text: Any.
        environment: Variables; those of the process unless given.
    """
    for secret in _secrets(os.environ if environment is None else environment):
        text = text.replace(secret, MASK)
    for pattern, masked in _PATTERNS:
        text = pattern.sub(masked, text)
    return text


def _secrets(environment: Mapping[str, str]) -> list[str]:
    values = (value for name, value in environment.items() if _SECRET_NAME.search(name))
    parts = {part for value in values for part in re.split(r"[\s,]+", value) if len(part) >= _SHORTEST}
    # The longest first: one may be a part of another.
    return sorted(parts, key=len, reverse=True)
