"""What benchmarks found before, in ``history.jsonl``: only what can be compared between machines, so mostly ratios."""

import json
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).resolve().parents[1]
HISTORY = REPOSITORY / "benchmarks" / "history.jsonl"
WORSE = 1.25
"""A figure is told when it is worse than the median of before by this factor."""


def keep(
    benchmark: str,
    ratios: Mapping[str, float],
    size: Mapping[str, float] | None = None,
    more_is_better: Collection[str] = (),
    history: Path = HISTORY,
) -> None:
    """Add a line, and tell what has become worse by a quarter.

    Args:
        benchmark: Whose figures they are.
        ratios: By name; less is better.
        size: What was measured, such as the number of pairs: only figures of the same size are compared.
        more_is_better: Names of the others.
        history: The file.
    """
    of = {"benchmark": benchmark, **(size or {})}
    for problem in worse(_lines(history, of), ratios, more_is_better):
        print(f"SLOWER: {problem} (benchmarks/history.jsonl)")
    with history.open("a") as file:
        file.write(json.dumps({"benchmark": benchmark, "revision": revision(), **(size or {}), **ratios}) + "\n")


def worse(
    before: Collection[Mapping[str, float]], ratios: Mapping[str, float], more_is_better: Collection[str]
) -> list[str]:
    """What has become worse, in words."""
    told = []
    for name, now in ratios.items():
        known = [line[name] for line in before if name in line]
        limit = median(known) * (1 / WORSE if name in more_is_better else WORSE) if known else now
        if now < limit if name in more_is_better else now > limit:
            told.append(f"{name} is {now}, was {median(known)}")
    return told


def revision() -> str:
    """The commit that was measured."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout.strip()


def _lines(history: Path, of: Mapping[str, object]) -> list[dict[str, float]]:
    """The lines of one benchmark and size."""
    lines = [json.loads(line) for line in history.read_text().splitlines()] if history.exists() else []
    return [line for line in lines if all(line.get(name) == value for name, value in of.items())]
