"""Demotion: what is bad goes, what is honest stays, and it does not flap."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from live_champions import Life, live
from make_us_rich.live.demotion import DemotionRules, judge
from make_us_rich.live.scores import Lived

RULES = DemotionRules()
STEP = 24
"""Hours between two looks: the hours between them have nearly the same record."""


def looks(lived: Lived) -> list[bool]:
    """Whether it would be demoted, looked at again and again through its life."""
    own, baseline = lived.losses()
    found = []
    for at in range(RULES.least_forecasts, len(lived) + 1, STEP):
        first = max(0, at - 24 * RULES.days)
        if own[first:at].mean() <= (1 + RULES.least_loss) * baseline[first:at].mean():
            found.append(False)
            continue
        seen = lived.at((np.arange(len(lived)) >= first) & (np.arange(len(lived)) < at))
        found.append(judge(seen, "v", RULES).demote)
    return found


def demoted(life: Life, lives: int) -> int:
    """How many of them are demoted at any time."""
    return sum(any(looks(live(life, seed))) for seed in range(lives))


def test_a_champion_whose_widths_are_far_off_is_demoted_within_a_month() -> None:
    assert demoted(Life(hours=720, bias=1.0), 10) == 10


def test_an_honest_champion_is_hardly_ever_demoted() -> None:
    # Of 120 in 60 days: 7 that are as good as the baseline, 1 that is better by 1 % (docs/adr/0021-demotion.md).
    assert demoted(Life(hours=1_440), 12) <= 1
    assert demoted(Life(hours=1_440, error=0.1), 12) == 0


def test_a_champion_that_stands_does_so_from_look_to_look() -> None:
    # No more than one run of demotions in a life: hysteresis has little to do.
    for seed in range(5):
        seen = looks(live(Life(hours=1_440, error=0.3), seed))
        assert sum(now and not before for before, now in zip([False, *seen], seen, strict=False)) <= 2


def test_too_few_forecasts_are_not_judged() -> None:
    standing = judge(live(Life(hours=RULES.least_forecasts - 1, bias=1.0), 1), "v", RULES)

    assert not standing.demote
    assert standing.reason == "not judged yet: 167 of its forecasts have come true, 168 are needed"


def test_what_has_no_baseline_beside_it_is_not_judged() -> None:
    lived = live(Life(hours=300, bias=1.0), 1)
    bare = Lived(lived.issued_at, lived.recipes, lived.targets, lived.quantiles, np.full_like(lived.baseline, np.nan))

    assert judge(bare, "v", RULES).forecasts == 0


def test_a_loss_that_is_hardly_larger_demotes_nobody() -> None:
    lived = live(Life(hours=720, error=0.0, baseline_error=0.0, bias=0.02), 1)
    standing = judge(lived, "v", RULES)

    assert not standing.demote
    assert standing.skill == pytest.approx(0, abs=RULES.least_loss)


def test_the_same_forecasts_are_no_worse() -> None:
    lived = live(Life(hours=300, error=0.0, baseline_error=0.0), 1)

    assert judge(lived, "v", RULES).p == pytest.approx(0.5)


def test_only_what_was_issued_since_counts() -> None:
    lived = live(Life(hours=300), 1)
    moment = datetime(2025, 3, 1, tzinfo=UTC) + timedelta(hours=99)

    assert len(lived.since(moment)) == 200
