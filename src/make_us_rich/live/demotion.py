"""Whether the champion still stands, by the forecasts that were served."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from make_us_rich.domain.forecast import HORIZON
from make_us_rich.domain.live import Standing
from make_us_rich.evaluation.scores import skill
from make_us_rich.evaluation.significance import diebold_mariano
from make_us_rich.live.scores import Lived


class DemotionRules(BaseModel):
    """When a champion is demoted; docs/adr/0021-demotion.md has the arithmetic.

    Attributes:
        days: Forecasts of the last so many days are judged.
        least_forecasts: With fewer of them nothing is judged.
        least_loss: Share of the baseline's loss by which the champion's has to be above it.
        p_value: Of the Diebold-Mariano test that the baseline is better.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: int = Field(default=30, ge=1)
    least_forecasts: int = Field(default=168, gt=HORIZON)
    least_loss: float = Field(default=0.01, ge=0, lt=1)
    p_value: float = Field(default=0.0005, gt=0, lt=1)


def judge(lived: Lived, version: str | None, rules: DemotionRules) -> Standing:
    """Hold the forecasts that were served against the baseline's that were recorded beside them.

    The test is the gate's, turned round: one-sided, by Diebold and Mariano with Harvey's correction, on the mean CRPS
    over the horizons 1 to 24.

    Args:
        lived: Forecasts of the recipe that is served, issued since it is.
        version: The champion's.
        rules: When it is demoted.
    """
    whole = lived.whole()
    if len(whole) < rules.least_forecasts:
        told = f"not judged yet: {len(whole)} of its forecasts have come true, {rules.least_forecasts} are needed"
        return Standing(version=version, demote=False, reason=told, forecasts=len(whole))
    own, baseline = whole.losses()
    gained = float(skill(own.mean(), baseline.mean()))
    p = diebold_mariano(baseline, own, HORIZON).p
    demote = gained < -rules.least_loss and p < rules.p_value
    return Standing(
        version=version, demote=demote, reason=_told(gained, p, rules), forecasts=len(whole), skill=gained, p=p
    )


def _told(gained: float, p: float, rules: DemotionRules) -> str:
    side = "below" if gained >= 0 else "above"
    return (
        f"mean CRPS {100 * abs(gained):.2f} % {side} the baseline's in the last {rules.days} days, p = {p:.2g} that it"
        f" is no worse (less than {rules.p_value:g} demotes)"
    )
