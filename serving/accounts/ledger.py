"""Blocks of calls that this process has set aside."""

from dataclasses import dataclass
from datetime import date, datetime

from serving.accounts.quotas import Lease, Wanted


@dataclass(slots=True)
class Block:
    """Calls of a user that are set aside here.

    Attributes:
        month: Whose calls they are.
        reset_at: When that month ends.
        limit: Calls a month.
        left: Calls that may still be made from the block.
        unleased: Calls that nobody had set aside when the database was asked.
        used: When a call was last made, seconds.
        spent_until: The database said that nothing is left; it is not asked before this moment, seconds.
    """

    month: date
    reset_at: datetime
    limit: int
    left: int = 0
    unleased: int = 0
    used: float = 0.0
    spent_until: float = 0.0

    @property
    def remaining(self) -> int:
        """Calls left, as far as this process knows."""
        return self.left + self.unleased

    def add(self, lease: Lease) -> None:
        """Take what the database gave."""
        self.left += lease.calls
        self.unleased = max(0, lease.unleased)
        self.limit = lease.limit


class Ledger:
    """One block a user."""

    def __init__(self) -> None:
        self._blocks: dict[int, Block] = {}
        self._unused: list[Wanted] = []

    def __getitem__(self, user_id: int) -> Block:
        return self._blocks[user_id]

    def get(self, user_id: int) -> Block | None:
        """The block of a user, if there is one."""
        return self._blocks.get(user_id)

    def open(self, user_id: int, block: Block) -> Block:
        """Begin a block; what is left of another goes back."""
        self.retire(user_id)
        self._blocks[user_id] = block
        return block

    def retire(self, user_id: int) -> None:
        """End a block; what is left of it goes back."""
        block = self._blocks.pop(user_id, None)
        if block is not None and block.left:
            self._unused.append(Wanted(user_id, block.month, block.left))

    def retire_idle(self, now: float, seconds: float) -> None:
        """End the blocks from which no call was made for so long."""
        for user_id in [user for user, block in self._blocks.items() if not 0 <= now - block.used < seconds]:
            self.retire(user_id)

    def retire_all(self) -> None:
        """End every block."""
        for user_id in list(self._blocks):
            self.retire(user_id)

    def take_unused(self) -> list[Wanted]:
        """What is to go back; it is the caller's from now on."""
        unused, self._unused = self._unused, []
        return unused

    def take_unused_of(self, user_id: int) -> list[Wanted]:
        """What is to go back of one user's; it is the caller's from now on."""
        unused = [block for block in self._unused if block.user_id == user_id]
        self._unused = [block for block in self._unused if block.user_id != user_id]
        return unused

    def keep_unused(self, unused: list[Wanted]) -> None:
        """What did not go back, for the next time."""
        self._unused.extend(unused)

    def held(self, user_id: int, month: date) -> int:
        """Calls of a user's month that are set aside here and not made: in a block, or about to go back."""
        block = self._blocks.get(user_id)
        left = block.left if block and block.month == month else 0
        return left + sum(each.calls for each in self._unused if (each.user_id, each.month) == (user_id, month))
