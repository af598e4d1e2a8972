"""Who may call: tokens that are known and blocks of calls, in memory; the database only for what is not there."""

import asyncio
import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from serving.accounts import quotas
from serving.accounts.database import Database, Work
from serving.accounts.errors import QuotaError, UnauthorizedError, UnavailableError, UncertainError, usage_headers
from serving.accounts.known_tokens import KnownTokens
from serving.accounts.ledger import Block, Ledger
from serving.accounts.months import first_day, next_month
from serving.accounts.moves import Moves
from serving.accounts.quotas import Lease, Owner, Question, Wanted
from serving.accounts.settings import AccountsSettings
from serving.accounts.tokens import has_shape, hash_of

_ROUND_SECONDS = 0.4
_SPENT_SECONDS = 1.0
_TOKENS_A_QUESTION = 1_000
_MOST_QUESTIONS = 256
_PART_OF_PLAN, _LARGEST_BLOCK = 100, 1_000
_MOST_LOOKS, _A_MOMENT = 20, 0.01

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Admission:
    """One call that is counted.

    Attributes:
        user_id: Whose.
        limit: Calls a month.
        remaining: Calls left, as far as this process knows: exact where it is the only one; otherwise others may have
            used some, or hold some that they will give back.
        reset_at: When the next month begins, UTC.
    """

    user_id: int
    limit: int
    remaining: int
    reset_at: datetime

    def headers(self) -> dict[str, str]:
        """What the answer says about the quota."""
        return usage_headers(self.limit, self.remaining, self.reset_at)


class Gatekeeper:
    """Admits calls of one process; belongs to one event loop.

    Every 0.4 s it asks the database once about all tokens in use, so that one that was revoked elsewhere is dead within
    a second, and no call waits for that. Calls come in blocks that are set aside in the database; a block that is
    nearly empty is filled while calls go on. A killed process loses what it had set aside, and nothing is counted less.
    """

    def __init__(self, database: Database, settings: AccountsSettings, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._tokens = KnownTokens(settings.token_seconds, settings.outage_seconds)
        self._ledger = Ledger()
        self._moves = Moves()
        self._questions: dict[str, asyncio.Task[Owner | None]] = {}
        self._leases: dict[int, asyncio.Task[None]] = {}
        self._rounds: asyncio.Task[None] | None = None
        self._closed = False

    async def admit(self, token: str) -> Admission:
        """Count a call, or refuse it.

        Args:
            token: An API token or that of a login; both count against the same calls.

        Raises:
            UnauthorizedError: The token is unknown, revoked or expired.
            QuotaError: The calls of the month are used up.
            UnavailableError: The database is down, and the token or the calls left are not known without it.
        """
        if self._closed:
            raise UnavailableError("this process is shutting down")
        if self._rounds is None:
            self._rounds = asyncio.create_task(self._go_round())
        owner = await self._owner(token)
        while True:
            now = self._clock()
            block = self._block(owner, now)
            if block.left:
                return self._count(owner, block, now.timestamp())
            if now.timestamp() < block.spent_until:
                raise QuotaError(block.limit, block.reset_at, now)
            await self._wait(self._lease(owner.user_id, block))

    async def refund(self, admission: Admission) -> None:
        """A call failed and is not counted."""
        block = self._ledger.get(admission.user_id)
        now = self._clock()
        if block is None and now < admission.reset_at:
            block = self._ledger.open(admission.user_id, self._new_block(admission.limit, now))
        if block is not None and block.reset_at == admission.reset_at:
            block.left += 1
            block.spent_until = 0.0

    def forget(self, user_id: int) -> None:
        """Tokens, logins or limit of a user have changed: the database is asked before the next call."""
        self._tokens.forget(user_id)

    async def recognise(self, token: str) -> None:
        """Refuse a token that may not call; nothing is counted.

        Raises:
            UnauthorizedError: The token is unknown, revoked or expired.
            UnavailableError: The database is down, and the token is not known without it.
        """
        await self._owner(token)

    async def beside_held(self, user_id: int, read: Work[Result]) -> tuple[Result, int]:
        """What the database says, and the calls of a user that are set aside here and not made, at the same moment.

        Calls that were on their way in between would be in both or in neither: then it is asked again, for a while.
        """
        for _ in range(_MOST_LOOKS):
            before = self._moves.so_far(user_id)
            if before is None:
                await asyncio.sleep(_A_MOMENT)
                continue
            found = await self._database.read(read)
            if before == self._moves.so_far(user_id):
                return found, self._held(user_id)
        return await self._database.read(read), self._held(user_id)

    def _held(self, user_id: int) -> int:
        return self._ledger.held(user_id, first_day(self._clock()))

    async def close(self) -> None:
        """Admit nobody any more, and give back what was set aside."""
        self._closed = True
        if self._rounds is not None:
            self._rounds.cancel()
            await asyncio.gather(self._rounds, return_exceptions=True)
        if self._leases:
            await asyncio.wait(self._leases.values(), timeout=self._settings.database_seconds)
        self._ledger.retire_all()
        try:
            await asyncio.wait_for(self._give_back(), self._settings.database_seconds)
        except (TimeoutError, UncertainError):
            _log.warning("calls that were set aside may be lost: the database did not answer in time")
        except UnavailableError:
            _log.debug("the database is down; what is lost is told below")
        if lost := sum(block.calls for block in self._ledger.take_unused()):
            _log.warning("%d calls that were set aside are lost: the database is down", lost)

    # Tokens

    async def _owner(self, token: str) -> Owner:
        if not has_shape(token):
            raise _unauthorized()
        key, now = hash_of(token), self._clock().timestamp()
        owner = self._tokens.fresh(key, now)
        if owner is None and self._database.failing:
            owner = self._tokens.trusted(key, now)
        return owner or await self._ask(key, now)

    async def _ask(self, key: str, now: float) -> Owner:
        if self._tokens.is_unknown(key, now):
            raise _unauthorized()
        trusted = self._tokens.trusted(key, now)
        try:
            owner = await self._wait(self._question(key))
        except UnavailableError:
            if trusted is None:
                raise
            return trusted
        if owner is None:
            raise _unauthorized()
        return owner

    def _question(self, key: str) -> "asyncio.Task[Owner | None]":
        if key in self._questions:
            return self._questions[key]
        if len(self._questions) >= _MOST_QUESTIONS:
            raise UnavailableError("too many tokens are being looked up")
        task = self._questions[key] = asyncio.create_task(self._look_up([key], key))
        task.add_done_callback(lambda _: self._questions.pop(key))
        return task

    async def _look_up(self, keys: list[str], key: str = "") -> Owner | None:
        while True:
            version, now = self._tokens.version, self._clock()
            question = Question(keys, now, self._settings.monthly_calls)
            owners = await self._database.read(functools.partial(quotas.owners, question=question))
            if version == self._tokens.version:  # Otherwise it may be an answer from before a revocation.
                break
        self._tokens.learn(keys, owners, now.timestamp())
        for owner in owners.values():
            block = self._ledger.get(owner.user_id)
            if block is not None and block.limit != owner.limit:
                self._ledger.retire(owner.user_id)
        return owners.get(key)

    # Calls

    def _block(self, owner: Owner, now: datetime) -> Block:
        block = self._ledger.get(owner.user_id)
        if block is None or now >= block.reset_at:
            block = self._ledger.open(owner.user_id, self._new_block(owner.limit, now))
        return block

    def _new_block(self, limit: int, now: datetime) -> Block:
        return Block(first_day(now), next_month(now), limit, used=now.timestamp())

    def _count(self, owner: Owner, block: Block, now: float) -> Admission:
        block.left -= 1
        block.used = now
        if block.unleased and block.left <= self._size(block.limit) // 4 and not self._database.failing:
            self._lease(owner.user_id, block)
        return Admission(owner.user_id, block.limit, block.remaining, block.reset_at)

    def _size(self, limit: int) -> int:
        """Calls of a block: those of the settings, or a hundredth of a plan that is larger than most."""
        return max(self._settings.block_calls, min(limit // _PART_OF_PLAN, _LARGEST_BLOCK))

    def _lease(self, user_id: int, block: Block) -> "asyncio.Task[None]":
        if user_id not in self._leases:
            task = self._leases[user_id] = asyncio.create_task(self._take(user_id, block))
            task.add_done_callback(functools.partial(self._leased, user_id))
        return self._leases[user_id]

    def _leased(self, user_id: int, task: "asyncio.Task[None]") -> None:
        del self._leases[user_id]
        if not task.cancelled():
            task.exception()  # Whoever waits is told; for a block that was filled ahead nobody does.

    async def _take(self, user_id: int, block: Block) -> None:
        # Never more than one block is held, so that no more is lost.
        wanted = Wanted(user_id, block.month, self._size(block.limit) - block.left)
        with self._moves.of([user_id]):
            lease = await self._exchange(wanted)
            if self._ledger.get(user_id) is not block:
                self._ledger.keep_unused([Wanted(user_id, block.month, lease.calls)])
                return
            block.add(lease)
        if not lease.calls:
            block.spent_until = self._clock().timestamp() + _SPENT_SECONDS

    async def _exchange(self, wanted: Wanted) -> Lease:
        unused = self._ledger.take_unused_of(wanted.user_id)
        otherwise = self._settings.monthly_calls
        work = functools.partial(quotas.exchange, unused=unused, wanted=wanted, otherwise=otherwise)
        with self._kept_if_refused(unused):
            return await self._database.start(work)

    # Rounds

    async def _go_round(self) -> None:
        while True:
            await asyncio.sleep(_ROUND_SECONDS)
            try:
                await self._round()
            except UnavailableError:
                _log.debug("the database is down; the next round tries again")

    async def _round(self) -> None:
        now = self._clock().timestamp()
        active = self._tokens.active(now)
        for first in range(0, len(active), _TOKENS_A_QUESTION):
            await self._look_up(active[first : first + _TOKENS_A_QUESTION])
        if not self._database.failing:
            self._ledger.retire_idle(now, self._settings.block_idle_seconds)
            await self._give_back()

    async def _give_back(self) -> None:
        unused = self._ledger.take_unused()
        if not unused:
            return
        with self._moves.of([block.user_id for block in unused]), self._kept_if_refused(unused):
            await asyncio.shield(self._database.start(functools.partial(quotas.give_back, unused=unused)))

    @contextmanager
    def _kept_if_refused(self, unused: list[Wanted]) -> Iterator[None]:
        try:
            yield
        except UncertainError:
            _log.warning("calls that were set aside may be lost: the database went away as they were given back")
            raise
        except UnavailableError:
            self._ledger.keep_unused(unused)
            raise

    async def _wait(self, task: "asyncio.Task[Result]") -> Result:
        """A result that others may wait for as well: neither a time-out nor a caller that went away ends the task."""
        done, _ = await asyncio.wait({task}, timeout=self._settings.database_seconds)
        if not done:
            self._database.late()
            raise UnavailableError("the accounts database does not answer in time")
        return task.result()


def _unauthorized() -> UnauthorizedError:
    return UnauthorizedError(
        "the token is unknown, revoked or expired", "log in and rotate the API token to get a new one, or log in again"
    )
