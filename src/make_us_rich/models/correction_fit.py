"""The fit of networks that correct HAR-V."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

from make_us_rich.evaluation.scores import pinball
from make_us_rich.models.closed_form import training_windows
from make_us_rich.models.corrected_forecaster import CorrectedModel, Forecaster
from make_us_rich.models.correction_module import CorrectionModule
from make_us_rich.models.correction_network import CHANNELS, Member, Members
from make_us_rich.models.correction_windows import SharedWindows, moments_of
from make_us_rich.models.cross_fit import ratios_out_of_fit, share_out
from make_us_rich.models.lightning_fit import WindowData, train
from make_us_rich.models.stretched_quantiles import BENDS

if TYPE_CHECKING:
    from make_us_rich.features.split import Parts
    from make_us_rich.models.corrected_har import CorrectedHar
    from make_us_rich.models.interface import FitSettings


def fit_corrections(
    recipe: CorrectedHar, parts: Parts, settings: FitSettings, previous: CorrectedModel | None = None
) -> CorrectedModel:
    """Fit HAR-V on all training windows, and members that correct what HAR-V gets wrong where it was not fitted.

    Args:
        recipe: Hyperparameters.
        parts: See ``Architecture.fit``.
        settings: Levels, seed, accelerator.
        previous: Whose members to go on from; None: new ones.
    """
    windows = training_windows(parts)
    shares = share_out(windows, recipe)
    ratios = ratios_out_of_fit(windows, shares)
    table = recipe.table(ratios, settings.levels)
    torch.manual_seed(settings.seed)
    members = copy.deepcopy(previous.forecaster.members).train() if previous else new_members(recipe, settings.levels)
    moments = moments_of(windows)
    module = CorrectionModule(members, table, recipe, settings.levels)
    module.begin_with(pinball(ratios, table, settings.levels).mean(axis=(1, 2)), shares)
    data = SharedWindows(windows, moments, ratios, shares)
    epochs = recipe.refit_epochs if previous else recipe.max_epochs
    history = train(
        module, WindowData(data, data, recipe.batch_size, settings.seed), epochs, recipe.patience, settings.accelerator
    )
    forecaster = Forecaster(Members(module.best), recipe.fit_har(windows, settings.levels), moments)
    return CorrectedModel(forecaster.eval().cpu(), recipe.lookback, history)


def new_members(recipe: CorrectedHar, levels: tuple[float, ...]) -> Members:
    """Networks that correct nothing yet."""
    corrections = BENDS + len(levels) // 2
    return Members([Member(recipe.body(len(CHANNELS)), recipe, corrections) for _ in range(recipe.members)])
