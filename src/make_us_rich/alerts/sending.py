"""Send messages through Apprise, without any secret in them."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Mapping

from make_us_rich.domain.errors import ParameterError

ADDRESSES = "MAKE_US_RICH_ALERT_URLS"
"""Variable with addresses that Apprise understands, such as a Discord webhook, separated by spaces or commas."""

MAX_LENGTH = 1800
"""Characters of a message: Discord takes 2,000."""

_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|ACCESS_KEY|API_KEY|ALERT_URLS|DATABASE_URL", re.IGNORECASE)

_SECRETS = (
    r"((?<=://))[^/\s@]+(?=@)",
    r"(?i)([?&;](?:[\w-]*(?:token|secret|password|signature|credential|api_?key)|key|sig)=)[^&\s'\"]+",
    r"(?i)((?:discord(?:app)?\.com/api/webhooks|hooks\.slack\.com/services)/)[^\s'\"]+",
    r"(?i)(api\.telegram\.org/bot)[^\s'\"]+",
    r"(?i)((?:discord|slack|tgram|mailtos?|jsons?|xmls?|forms?)://)[^\s'\"]+",
    r"(?i)(bearer\s+)[\w.~+/=-]+",
)
"""What comes before a secret, which stays, and the secret."""

log = logging.getLogger(__name__)


def mask(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Replace credentials in addresses, and the values of variables whose names mark them as secret."""
    values = [value for name, value in environment.items() if _SECRET_NAME.search(name)]
    # A shorter value would mask parts of ordinary words.
    secrets = {part for value in values for part in re.split(r"[\s,]+", value) if len(part) >= 6}
    for secret in sorted(secrets, key=len, reverse=True):  # One may be a part of another.
        text = text.replace(secret, "***")
    for pattern in _SECRETS:
        text = re.sub(pattern, r"\1***", text)
    return text


def send_message(title: str, body: str) -> bool:
    """Send a message to the addresses in ``MAKE_US_RICH_ALERT_URLS``; without any, there is only the log.

    Returns:
        Whether an address took it, to which it must not be sent again; what failed is in the log.
    """
    delivered = _deliver(title, body)
    return any(delivered) or not delivered


def _deliver(title: str, body: str) -> list[bool]:
    """Send a message, and return for each address whether it took it."""
    addresses = [each for each in re.split(r"[\s,]+", os.environ.get(ADDRESSES, "")) if each]
    body = body if len(body) <= MAX_LENGTH else f"{body[: MAX_LENGTH - 1]}…"
    return [_send(number, address, title, body) for number, address in enumerate(addresses, start=1)]


def _send(number: int, address: str, title: str, body: str) -> bool:
    """Send a message to one address, which the log names by its number."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Of the packages that its services import.
            import apprise

            logging.getLogger("apprise").setLevel(logging.CRITICAL)  # It logs addresses with their tokens.
            service = apprise.Apprise()
            if not service.add(address):
                log.warning("address %d of %s is unknown to Apprise", number, ADDRESSES)
                return False
            sent = bool(service.notify(title=title, body=body))
    except Exception as exc:
        # Whatever an external service does, the run that reports a problem goes on.
        problem = f"{type(exc).__name__}: {mask(str(exc))}"
        log.warning("the message was not sent to address %d of %s: %s", number, ADDRESSES, problem)
        return False
    if not sent:
        log.warning("the message was not delivered to address %d of %s", number, ADDRESSES)
    return sent


def send_test() -> None:
    """Send a test message.

    Raises:
        ParameterError: There is no address, or the message did not arrive at each.
    """
    if not os.environ.get(ADDRESSES, "").strip():
        raise ParameterError(f"{ADDRESSES} is not set", "set it to a Discord webhook, or another URL of Apprise")
    if not all(_deliver("Make Us Rich: a test", "Alerts arrive here. Nothing is wrong.")):
        raise ParameterError("the test message was not delivered to every address", "see the log above for the cause")
