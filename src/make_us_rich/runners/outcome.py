"""How a pair's run has ended, and the table of all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from make_us_rich.domain.errors import MakeUsRichError


class PairsFailedError(MakeUsRichError):
    """Some of the pairs' runs have failed; the others are complete."""


@dataclass(frozen=True)
class Outcome:
    """How a pair's run has ended.

    Attributes:
        pair: Name such as ``btc_usdt``.
        told: What is served now, or why the run failed; one line.
        failed: It did.
        held: It did because another run holds the pair.
        killed: Its process ended without a word.
        seconds: It took, start-up and all.
        cpu_seconds: It computed.
        peak_mb: The most memory of its process, what it shares with the others included.
        worker: Where it ran; empty for here.
    """

    pair: str
    told: str
    failed: bool = False
    held: bool = False
    killed: bool = False
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: int = 0
    worker: str = ""

    @property
    def line(self) -> str:
        """In one line."""
        where = f" at {self.worker}" if self.worker else ""
        return f"{self.pair}: {'FAILED: ' if self.failed else ''}{self.told} ({self.seconds:.1f} s{where})"


def killed(pair: str) -> Outcome:
    """Of a process that ended without a word."""
    told = f"{pair}: its process was killed, perhaps for want of memory; lower running.workers and run the pair again"
    return Outcome(pair, told, failed=True, killed=True)


def tabulate(outcomes: Sequence[Outcome]) -> str:
    """A table of all pairs, those that failed last."""
    ordered = sorted(outcomes, key=lambda outcome: (outcome.failed, outcome.pair))
    width = max((len(outcome.pair) for outcome in ordered), default=4)
    rows = [
        f"{outcome.pair:<{width}}  {outcome.seconds:6.1f} s  {'FAILED  ' if outcome.failed else ''}{outcome.told}"
        for outcome in ordered
    ]
    return "\n".join([f"{'pair':<{width}}    took    what came of it", *rows, "", _sum_of(outcomes)])


def _sum_of(outcomes: Sequence[Outcome]) -> str:
    computed = sum(outcome.cpu_seconds for outcome in outcomes)
    published = sum(outcome.told.startswith("published") for outcome in outcomes)
    largest = max((outcome.peak_mb for outcome in outcomes), default=0)
    return f"{len(outcomes)} pairs, {published} published; {computed:.0f} s computed, at most {largest} MB a pair"


def refuse_failures(outcomes: Sequence[Outcome]) -> None:
    """Make a failure of one pair one of the command.

    Raises:
        PairsFailedError: At least one pair failed.
    """
    names = sorted(outcome.pair for outcome in outcomes if outcome.failed)
    if names:
        raise PairsFailedError(
            f"{len(names)} of {len(outcomes)} pairs failed ({', '.join(names)}), each for the reason in the table;"
            " the others are complete"
        )
