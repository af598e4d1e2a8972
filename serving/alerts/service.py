"""The alerts of one API process: store rules, evaluate them after each forecast, send messages."""

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from make_us_rich.client.alerts import Alert, NewAlert, Rule
from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.forecast import Forecast
from serving.accounts.accounts import Accounts
from serving.accounts.tables import AlertRule, User
from serving.accounts.users import NO_HASH
from serving.alerts.events import Seen, describe
from serving.dependencies import require_pair
from serving.errors import ServingError, UnauthorizedError, UnavailableError
from serving.forecasts.service import ForecastService
from serving.settings import Settings

MAX_RULES = 20
"""Rules of a user."""
MIN_INTERVAL = timedelta(hours=1)
"""Between two messages of a rule."""
ROUND_SECONDS = 60.0
"""Maximum time between two rounds: a forecast gets old, and a message waits for its hour, without a new forecast."""
CHECK_SECONDS = 15.0
SIMULATED = "Simulated market: these are no real prices."

_STOP = b"stop "
_RULE: TypeAdapter[Rule] = TypeAdapter(Rule)
_log = logging.getLogger(__name__)


class AlertService:
    """Rules of all users.

    A thread evaluates them after each new forecast. Of several processes, the one that claims a rule in the database
    sends its message.

    Args:
        settings: Settings of the API; without ``secret_key`` there are no alerts.
        accounts: Where the rules are stored.
        forecasts: What they are evaluated on.
        allowed: IP addresses with ports that messages may go to although they are not public.
    """

    def __init__(
        self,
        settings: Settings,
        accounts: Accounts,
        forecasts: ForecastService,
        allowed: frozenset[tuple[str, int]] = frozenset(),
    ) -> None:
        self.allowed = allowed
        self.key = settings.secret_key
        host = "localhost" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 (compared only)
        host = f"[{host}]" if ":" in host else host
        self._url = (settings.public_api_url or f"http://{host}:{settings.port}{settings.root_path}").rstrip("/")
        self._database = accounts.database
        self._clock = accounts.clock
        self._forecasts = forecasts
        self._newest: dict[str, tuple[Forecast, Forecast | None]] = {}
        """The newest forecast of each pair, and the last one that was issued earlier."""
        self._checks = asyncio.Semaphore(2)
        self._wake = threading.Event()
        self._is_closing = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, if there is a key."""
        if self.key is None:
            return
        self._forecasts.listeners.append(self._wake.set)
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Let the thread finish its round, for a few seconds."""
        self._is_closing = True
        self._wake.set()
        if self._thread:
            await asyncio.to_thread(self._thread.join, 5)

    def require_key(self) -> str:
        """The key; the error ``alerts_off`` without one."""
        if self.key is None:
            remedy = "ask the operator to set MAKE_US_RICH_SECRET_KEY (docs/accounts.md)"
            raise ServingError("alerts_off", "this API sends no alerts", remedy)
        return self.key.get_secret_value()

    async def add(self, user_id: int, new: NewAlert) -> Alert:
        """Store a rule.

        Raises:
            ServingError: The pair is not served, its model does not forecast what the rule needs, the destination
                cannot be used, or the user has as many rules as allowed.
            UnauthorizedError: The user was deleted meanwhile.
        """
        pair = require_pair(self._forecasts, new.pair)
        if seen := self._look(pair):
            describe(new.rule, seen)
        await self._database.read(lambda session: _check_count(session, user_id))
        async with self._checks:  # Each is a process.
            problem = (await asyncio.to_thread(self._send, [{"destination": new.destination}], CHECK_SECONDS))[0]
        if problem:
            remedy = "see https://github.com/caronc/apprise/wiki for its format"
            raise ServingError("invalid_request", f"the destination cannot be used: {problem}", remedy)
        rule = AlertRule(
            id=uuid.uuid4().hex,
            user_id=user_id,
            pair=pair,
            rule=new.rule.model_dump(),
            service=new.destination.partition(":")[0],
            secret=self._encrypt(new.destination.encode()),
            created_at=self._clock(),
        )

        def store(session: Session) -> None:
            user = session.get(User, user_id, with_for_update=True)
            if user is None or user.password_hash == NO_HASH:
                raise UnauthorizedError
            _check_count(session, user_id)
            session.add(rule)

        await self._database.write(store)
        return Alert.model_validate(rule, from_attributes=True)

    async def remove(self, user_id: int, identity: str) -> None:
        """Delete a rule of a user; the error ``not_found`` for others."""
        own = delete(AlertRule).where(AlertRule.id == identity, AlertRule.user_id == user_id).returning(AlertRule.id)
        if not await self._database.write(lambda session: session.scalars(own).all()):
            raise ServingError("not_found", "you have no such rule", "GET /api/v1/alerts lists your rules")

    async def stop(self, token: str) -> None:
        """Delete the rule of a link, if it still exists. Errors as those of ``check_link``."""
        rule = delete(AlertRule).where(AlertRule.id == self.check_link(token))
        await self._database.write(lambda session: session.execute(rule))

    def check_link(self, token: str) -> str:
        """The id of the rule that a link stops; the error ``not_found`` if the link is damaged."""
        text = self._decrypt(token)
        if text is None or not text.startswith(_STOP):
            remedy = "copy it as a whole, or DELETE /api/v1/alerts/{identity}"
            raise ServingError("not_found", "the link is damaged", remedy)
        return text.removeprefix(_STOP).decode()

    def evaluate(self) -> None:
        """Evaluate all rules once, and send the messages that are due.

        Raises:
            UnavailableError: The database is down; nothing was sent.
        """
        seen = {pair: found for pair in self._forecasts.pairs if (found := self._look(pair))}
        statement = select(AlertRule).where(AlertRule.pair.in_(seen)).order_by(AlertRule.id)
        rules = self._database.transact(lambda session: session.scalars(statement).all(), read_only=True)
        texts = {rule.id: text for rule in rules if (text := _text(rule, seen[rule.pair]))}
        if not texts:
            return
        due, now = [rule for rule in rules if rule.id in texts], self._clock()
        claimed = self._database.transact(
            lambda session: [each for each in due if _claim(session, each, seen[each.pair].forecast.issued_at, now)]
        )
        messages = [message for rule in claimed if (message := self._message(rule, texts[rule.id]))]
        if not messages:
            return
        problems = self._send(messages, seconds=60)
        delivered = [each["id"] for each, problem in zip(messages, problems, strict=True) if problem is None]
        if len(delivered) < len(messages):
            _log.warning("%d of %d alerts were not delivered", len(messages) - len(delivered), len(messages))
        sent = update(AlertRule).where(AlertRule.id.in_([each["id"] for each in messages]))
        self._database.transact(lambda session: session.execute(sent.values(delivered=AlertRule.id.in_(delivered))))

    def _run(self) -> None:
        while not self._is_closing:
            try:
                self.evaluate()
            except UnavailableError:
                _log.debug("the accounts database is down; the next round tries again")
            except Exception:
                # Alerts must go on after an unexpected error.
                _log.exception("evaluating the alerts failed")
            self._wake.wait(ROUND_SECONDS)
            self._wake.clear()

    def _look(self, pair: str) -> Seen | None:
        issued = self._forecasts.get(pair)
        if issued is None:
            return None
        forecast = issued.forecast
        newest, previous = self._newest.get(pair, (forecast, None))
        if forecast.issued_at > newest.issued_at:
            previous = newest
        self._newest[pair] = forecast, previous
        age = self._forecasts.candles.now() - forecast.issued_at
        return Seen(forecast, previous, age, self._forecasts.problem(pair))

    def _message(self, rule: AlertRule, text: str) -> dict[str, str] | None:
        destination = self._decrypt(rule.secret)
        if destination is None:
            _log.warning(
                "rule %s was encrypted with another MAKE_US_RICH_SECRET_KEY; its user must add it anew", rule.id
            )
            return None
        lines = [text, *([SIMULATED] if self._forecasts.candles.simulated else [])]
        link = f"{self._url}/api/v1/alerts/stop?token={self._encrypt(_STOP + rule.id.encode())}"
        body = "\n\n".join([*lines, f"Stop this alert: {link}"])
        return {"id": rule.id, "destination": destination.decode(), "title": f"Make Us Rich: {rule.pair}", "body": body}

    def _send(self, messages: Sequence[dict[str, str]], seconds: float) -> list[str | None]:
        """Hand messages to the sender; what is wrong with each, or None."""
        given = json.dumps({"allowed": sorted(self.allowed), "messages": messages}).encode()
        # Isolated, without the API's variables: they have its secrets, and a proxy would reach what it may not.
        command, environment = [sys.executable, "-I", str(Path(__file__).with_name("sender.py"))], {"HOME": os.devnull}
        try:
            output = subprocess.run(  # noqa: S603 (its arguments are ours)
                command, input=given, capture_output=True, check=True, timeout=seconds, env=environment
            ).stdout
        except subprocess.SubprocessError as exc:
            # Without its stderr, which may have addresses.
            output = getattr(exc, "stdout", None) or b""
            _log.error("the sender of alerts failed: %s", type(exc).__name__)
        problems = dict(json.loads(line) for line in output.splitlines())
        return [problems.get(at, "the service did not answer in time") for at in range(len(messages))]

    def _encrypt(self, content: bytes) -> str:
        from cryptography.fernet import Fernet

        return Fernet(self.require_key()).encrypt(content).decode()

    def _decrypt(self, token: str) -> bytes | None:
        """What was encrypted; None if the text is something else or of another key."""
        from cryptography.fernet import Fernet, InvalidToken

        try:
            return Fernet(self.require_key()).decrypt(token)
        except InvalidToken:
            return None


def _check_count(session: Session, user_id: int) -> None:
    """Raise the error ``too_many_alerts`` if the user has as many rules as allowed."""
    count = select(func.count()).select_from(AlertRule).where(AlertRule.user_id == user_id)
    if (session.scalar(count) or 0) >= MAX_RULES:
        raise ServingError("too_many_alerts", f"{MAX_RULES} rules are all that a user may have", "delete one")


def _text(row: AlertRule, seen: Seen) -> str | None:
    """What a message is to say; None if nothing has happened or has been sent of this forecast."""
    if row.forecast_at and row.forecast_at.replace(tzinfo=UTC) >= seen.forecast.issued_at:
        return None
    try:
        return describe(_RULE.validate_python(row.rule), seen)
    except ParameterError as exc:
        _log.debug("rule %s cannot be evaluated: %s", row.id, exc)
        return None


def _claim(session: Session, rule: AlertRule, issued_at: datetime, now: datetime) -> bool:
    """Make this process the one that sends a rule's message; not twice of a forecast, nor within an hour."""
    statement = update(AlertRule).where(
        AlertRule.id == rule.id,
        or_(AlertRule.sent_at.is_(None), AlertRule.sent_at <= now - MIN_INTERVAL),
        or_(AlertRule.forecast_at.is_(None), AlertRule.forecast_at < issued_at),
    )
    values = statement.values(sent_at=now, forecast_at=issued_at, delivered=None).returning(AlertRule.id)
    return session.scalar(values) is not None
