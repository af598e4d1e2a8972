"""Training of the networks that correct HAR: each learns from out-of-fold errors and is stopped on its own holdout."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from make_us_rich.backtest.scores import pinball
from make_us_rich.domain.forecast import QUANTILE_LEVELS
from make_us_rich.models.correction import (
    Forecaster,
    Member,
    MonotoneQuantiles,
    sequence_of,
    state_of,
)
from make_us_rich.models.har import STATE, fit_volatility, newest_rows
from make_us_rich.models.networks import FittedNetwork, SequenceDataset, to_tensor, train

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from make_us_rich.features.split import Parts
    from make_us_rich.features.windows import Windows
    from make_us_rich.models.base import FitSettings, FittedModel
    from make_us_rich.models.corrected_har import CorrectedHar


def fit_corrections(
    recipe: CorrectedHar, parts: Parts, settings: FitSettings, previous: FittedModel | None = None
) -> FittedNetwork:
    """Fit HAR on all training windows, and members that correct its out-of-fold errors; see ``Architecture.fit``."""
    windows = parts.train_validation()
    folds = assign_holdouts(windows, recipe)
    ratios = out_of_fold_ratios(windows, folds)
    table = recipe.quantile_tables(ratios, QUANTILE_LEVELS)["close"]
    torch.manual_seed(settings.seed)
    if previous:
        members = copy.deepcopy(cast("FittedNetwork", previous).forecaster.members).train()
    else:
        members = nn.ModuleList(Member(recipe) for _ in range(recipe.members))
    module = CorrectionModule(members, table, recipe)
    module.start_from_har(pinball(ratios["close"], table, QUANTILE_LEVELS).mean(axis=(1, 2)), folds)
    dataset, moments = correction_dataset(windows, ratios["close"], folds)
    history = train(
        module,
        dataset,
        dataset,
        settings,
        batch_size=recipe.batch_size,
        max_epochs=recipe.warm_start_epochs if previous else recipe.max_epochs,
        patience=recipe.patience,
    )
    forecaster = Forecaster(module.best, recipe.fit_har(windows, settings.levels), moments, settings.levels)
    return FittedNetwork(forecaster.eval().cpu(), recipe.lookback, len(windows.columns), history)


@dataclass(frozen=True)
class Holdouts:
    """Windows that each member holds out, and learns from.

    Attributes:
        held_out: ``[window, member]``; every window is held out by exactly one member.
        learned: Not held out, and no target in common with a window that is; ``[window, member]``.
    """

    held_out: NDArray[np.bool_]
    learned: NDArray[np.bool_]


def assign_holdouts(windows: Windows, recipe: CorrectedHar) -> Holdouts:
    """Blocks of the calendar in turn, so that the next fit assigns a window to the same member.

    A warm-started member would otherwise be stopped on windows from which its weights had learned.
    """
    hours = windows.timestamps[windows.origins].astype("datetime64[h]").astype(np.int64)

    def holds_out(at: NDArray[np.int64]) -> NDArray[np.bool_]:
        holder = at // recipe.holdout_block_hours % recipe.members
        return np.equal(holder[:, None], np.arange(recipe.members))

    held_out = holds_out(hours)
    near = holds_out(hours - windows.horizon) | holds_out(hours + windows.horizon)
    return Holdouts(held_out, ~(held_out | near))


def out_of_fold_ratios(windows: Windows, folds: Holdouts) -> dict[str, NDArray[np.float64]]:
    """Returns over the volatility of a fit on the windows from which the holder learns, ``[window, horizon]`` each.

    In-sample errors are too small: a correction learned from them would not be needed.
    """
    newest, targets = newest_rows(windows), windows.all_targets()
    sigma = np.empty_like(targets["close"])
    for held_out, learned in zip(folds.held_out.T, folds.learned.T, strict=True):
        # A market so young that it has one block has nothing else to learn from.
        rows = learned if learned.any() else held_out
        if held_out.any():
            volatility = fit_volatility(windows.at(windows.origins[rows]))
            sigma[held_out] = np.exp(volatility.log_sigma(newest[held_out]))
    return {target: returns / sigma for target, returns in targets.items()}


def correction_dataset(
    windows: Windows, ratios: NDArray[np.float64], folds: Holdouts
) -> tuple[SequenceDataset, NDArray[np.float64]]:
    """Batches of sequence, state, ratios, held_out and learned, and the moments by which the states are scaled.

    These are mean and standard deviation of the HAR features, 1 for a constant one; ``[2, state]``.
    """
    newest = newest_rows(windows)[:, :STATE].astype(np.float64)
    spread = newest.std(axis=0)
    moments = np.stack([newest.mean(axis=0), np.where(spread > 0, spread, 1.0)])
    rows = torch.from_numpy(windows.features)
    states = state_of(rows[torch.from_numpy(windows.origins), :STATE], to_tensor(moments))
    tensors = states, to_tensor(ratios), torch.from_numpy(folds.held_out), torch.from_numpy(folds.learned)
    return SequenceDataset(sequence_of(rows), windows.origins, windows.lookback, *tensors), moments


class CorrectionModule(LightningModule):
    """Pinball loss in units of HAR's volatility, so that every hour counts alike, with AdamW.

    Each member learns from its own windows and keeps the weights that were best on those that it holds out. HAR itself
    is a candidate: a member that never beats it corrects nothing.
    """

    def __init__(self, members: nn.ModuleList, table: NDArray[np.floating], recipe: CorrectedHar) -> None:
        super().__init__()
        self.members = members
        self.to_quantiles = MonotoneQuantiles(table, QUANTILE_LEVELS)
        self.recipe = recipe
        self.levels = nn.Buffer(torch.tensor(QUANTILE_LEVELS))
        self.best = [cast("Member", copy.deepcopy(member)) for member in members]
        self.min_losses = np.full(recipe.members, -np.inf)
        self.sums, self.counts = np.zeros(recipe.members), np.zeros(recipe.members)

    def start_from_har(self, losses: NDArray[np.float64], folds: Holdouts) -> None:
        """Take HAR's losses by window as those to beat; a member that holds nothing out cannot beat them."""
        for index, held_out in enumerate(folds.held_out.T):
            self.best[index].zero_init()
            if held_out.any():
                self.min_losses[index] = losses[held_out].mean()

    def training_step(self, batch: tuple[Tensor, ...], _index: int) -> Tensor:
        """Mean over the members, each on the windows from which it learns."""
        losses = [losses.mean() for _, losses in self._member_losses(batch, mask=4)]
        loss = torch.stack(losses).mean() if losses else torch.zeros((), requires_grad=True)
        self.log("train_loss", loss.detach(), on_step=False, on_epoch=True, prog_bar=True, batch_size=len(batch[0]))
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], _index: int) -> None:
        """Each member on the windows that it holds out."""
        for index, losses in self._member_losses(batch, mask=3):
            self.sums[index] += float(losses.sum())
            self.counts[index] += len(losses)

    def on_validation_epoch_end(self) -> None:
        """Keep the members that have improved."""
        losses = self.sums / np.maximum(self.counts, 1)
        self.log("validation_loss", float(self.sums.sum() / self.counts.sum()), prog_bar=True)
        self.sums[:], self.counts[:] = 0, 0
        if self.trainer.sanity_checking:
            return
        for index, member in enumerate(self.members):
            if losses[index] < self.min_losses[index]:
                self.min_losses[index], self.best[index] = losses[index], cast("Member", copy.deepcopy(member))

    def _member_losses(self, batch: tuple[Tensor, ...], mask: int) -> Iterator[tuple[int, Tensor]]:
        """Pinball losses of each member on its windows in a batch, ``[window]``, for members that have any."""
        sequence, state, ratios = batch[:3]
        for index, (member, chosen) in enumerate(zip(self.members, batch[mask].T, strict=True)):
            if chosen.any():
                corrections = member(sequence[chosen], state[chosen])
                errors = ratios[chosen].unsqueeze(-1) - self.to_quantiles(corrections)
                yield index, torch.maximum(self.levels * errors, (self.levels - 1) * errors).mean(dim=(1, 2))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW."""
        return torch.optim.AdamW(
            self.members.parameters(), lr=self.recipe.learning_rate, weight_decay=self.recipe.weight_decay
        )
