"""One architecture's search, by Optuna."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Any

import optuna
from optuna.trial import TrialState
from pydantic import ValidationError

from make_us_rich.domain.errors import MakeUsRichError
from make_us_rich.models.interface import Architecture
from make_us_rich.pipelines.searching.parameters import SearchingParameters
from make_us_rich.pipelines.searching.spaces import Spaces, draw
from make_us_rich.pipelines.searching.trials import Trial

log = logging.getLogger(__name__)
# Optuna has a handler of its own; what it would tell of each trial is in our line of it.
optuna.logging.disable_default_handler()
optuna.logging.enable_propagation()
optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Search:
    """What is searched.

    Attributes:
        name: For the log.
        configured: The recipe that has to be beaten, and the first to be tried.
        known: Hyperparameters that an earlier search has found, tried next.
        spaces: Of some of its hyperparameters.
        losses: A recipe's loss in each fold, one by one.
        baseline: The baseline's, by fold.
        limits: Trials, seconds, seed.
        clock: The time of day, UTC.
    """

    name: str
    configured: Architecture
    known: dict[str, Any]
    spaces: Spaces
    losses: Callable[[Architecture], Iterator[float]]
    baseline: Sequence[float]
    limits: SearchingParameters
    clock: Callable[[], datetime]

    def trials(self) -> Iterator[Trial]:
        """Try recipe after recipe until trials or seconds are used up; the first one in any case, none twice."""
        study, tried = self._study(), list[dict[str, Any]]()
        begun = self.clock()
        for number in range(self.limits.trials):
            if number and (self.clock() - begun).total_seconds() >= self.limits.seconds:
                log.info("%s: %g seconds are over after %d trials", self.name, self.limits.seconds, number)
                return
            asked = study.ask()
            recipe = draw(asked, self.spaces, self.configured)
            if recipe in tried:
                study.tell(asked, state=TrialState.FAIL)
                continue
            tried.append(recipe)
            yield self._try_one(study, asked, recipe)

    def _study(self) -> optuna.Study:
        # A recipe is given up only from its second fold on, and once five have been tried on all folds.
        pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2)
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=self.limits.seed), pruner=pruner)
        for first in (self.configured.model_dump(), self.known):
            if all(space.holds(first.get(field)) for field, space in self.spaces.items()):
                study.enqueue_trial({field: first[field] for field in self.spaces}, skip_if_exists=True)
        return study

    def _try_one(self, study: optuna.Study, asked: optuna.Trial, recipe: dict[str, Any]) -> Trial:
        begun = self.clock()
        state, ratio, reason = self._judge(asked, recipe)
        study.tell(asked, ratio if state == TrialState.COMPLETE else None, state)
        told = reason or f"skill {100 * (1 - ratio):.2f} %"
        log.info("%s: trial %d of at most %d: %s", self.name, asked.number, self.limits.trials, told)
        ended, baseline = self.clock(), fmean(self.baseline)
        return Trial(ended, asked.number, ratio * baseline, baseline, (ended - begun).total_seconds(), recipe, reason)

    def _judge(self, asked: optuna.Trial, recipe: dict[str, Any]) -> tuple[TrialState, float, str]:
        """Loss over the baseline's, which makes calm and wild folds comparable; NaN, and why, where it ended early."""
        seen: list[float] = []
        try:
            for loss in self.losses(type(self.configured).model_validate(recipe)):
                seen.append(loss)
                if not math.isfinite(loss):
                    return TrialState.FAIL, math.nan, f"its loss in fold {len(seen)} is not a finite number"
                asked.report(fmean(seen) / fmean(self.baseline[: len(seen)]), len(seen))
                if len(seen) < len(self.baseline) and asked.should_prune():
                    told = f"given up after fold {len(seen)} of {len(self.baseline)}: worse than half of the others"
                    return TrialState.PRUNED, math.nan, told
        except (MakeUsRichError, ValidationError) as exc:
            return TrialState.FAIL, math.nan, f"it cannot be fitted: {exc}"
        return TrialState.COMPLETE, fmean(seen) / fmean(self.baseline), ""
