"""Tuning of one architecture with Optuna."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from pydantic import ValidationError

from make_us_rich.domain.errors import MakeUsRichError
from make_us_rich.models.base import Architecture
from make_us_rich.models.registry import config_hash
from make_us_rich.pipelines.tuning.spaces import Spaces, TuningParameters

log = logging.getLogger(__name__)
optuna.logging.set_verbosity(optuna.logging.ERROR)  # Our line of each trial says the same.


@dataclass(frozen=True)
class Search:
    """Tuning of one architecture. The configured recipe is the first trial, what was found earlier the second.

    ``losses`` gives a recipe's loss in each fold, one by one; ``baseline`` has the baseline's.
    """

    pair: str
    architecture: str
    configured: Architecture
    known: dict[str, Any]
    spaces: Spaces
    losses: Callable[[Architecture], Iterator[float]]
    baseline: Sequence[float]
    limits: TuningParameters

    def trials(self) -> list[dict[str, Any]]:
        """Run trials until `n_trials` or `timeout` is reached: at least one, and no configuration twice.

        Returns:
            One row a trial: the columns of ``DTYPES`` but the run's version and time.
        """
        # A recipe is pruned only from its second fold on, and once five have been tried on all folds.
        pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2)
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=self.limits.seed), pruner=pruner)
        for first in (self.configured.model_dump(), self.known):
            if all(first.get(field) in space for field, space in self.spaces.items()):
                study.enqueue_trial({field: first[field] for field in self.spaces}, skip_if_exists=True)
        rows, name, limits = list[dict[str, Any]](), f"{self.pair}: {self.architecture}", self.limits

        def record(_: optuna.Study, trial: FrozenTrial) -> None:
            if "recipe" in trial.user_attrs:
                row = self._row(trial)
                result = row["reason"] or f"skill {100 * (1 - row['loss'] / row['baseline_loss']):.2f} %"
                log.info("%s: trial %d of at most %d: %s", name, trial.number, limits.n_trials, result)
                rows.append(row)

        study.optimize(self._evaluate, limits.n_trials, limits.timeout, callbacks=[record])
        if len(study.trials) < limits.n_trials:
            log.info("%s: timeout of %g s after %d trials", name, limits.timeout, len(study.trials))
        return rows

    def _evaluate(self, trial: optuna.Trial) -> float:
        """Loss over the baseline's, which makes calm and wild folds comparable; NaN where there is none."""
        recipe = self._draw(trial)
        if any(recipe == other.user_attrs.get("recipe") for other in trial.study.trials):
            return math.nan
        trial.set_user_attr("recipe", recipe)
        losses: list[float] = []
        try:
            for loss in self.losses(type(self.configured).model_validate(recipe)):
                losses.append(loss)
                if not math.isfinite(loss):
                    trial.set_user_attr("reason", f"its loss in fold {len(losses)} is not a finite number")
                    return math.nan
                trial.report(fmean(losses) / fmean(self.baseline[: len(losses)]), len(losses))
                if len(losses) < len(self.baseline) and trial.should_prune():
                    fold = f"fold {len(losses)} of {len(self.baseline)}"
                    trial.set_user_attr("reason", f"pruned after {fold}: worse than half of the others")
                    raise optuna.TrialPruned
        except (MakeUsRichError, ValidationError) as exc:
            trial.set_user_attr("reason", f"it cannot be fitted: {exc}")
            return math.nan
        return fmean(losses) / fmean(self.baseline)

    def _draw(self, trial: optuna.Trial) -> dict[str, Any]:
        """All hyperparameters of a recipe: those with a space from the trial, the others as configured."""
        drawn: dict[str, Any] = {}
        for field, space in self.spaces.items():
            if space.low is None or space.high is None:
                drawn[field] = trial.suggest_categorical(field, space.choices)
            elif isinstance(getattr(self.configured, field), int):
                drawn[field] = trial.suggest_int(field, int(space.low), int(space.high), log=space.log)
            else:
                drawn[field] = trial.suggest_float(field, space.low, space.high, log=space.log)
        return self.configured.model_dump(mode="json") | drawn

    def _row(self, trial: FrozenTrial) -> dict[str, Any]:
        recipe, baseline = trial.user_attrs["recipe"], fmean(self.baseline)
        return {
            "architecture": self.architecture,
            "number": trial.number,
            "loss": baseline * trial.values[0] if trial.state == TrialState.COMPLETE else math.nan,
            "baseline_loss": baseline,
            "seconds": trial.duration.total_seconds() if trial.duration else math.nan,
            "parameters": json.dumps(recipe),
            "recipe": config_hash({self.architecture: recipe}),
            "reason": trial.user_attrs.get("reason", ""),
        }
