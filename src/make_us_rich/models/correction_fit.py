"""The training of networks that correct HAR-V."""

from __future__ import annotations

import copy
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor
from torch.utils.data import Dataset

from make_us_rich.evaluation.scores import pinball
from make_us_rich.models.closed_form import training_windows
from make_us_rich.models.corrected_forecaster import CorrectedModel, Forecaster
from make_us_rich.models.correction_network import CHANNELS, Member, Members, path_of, state_of
from make_us_rich.models.cross_fit import Shares, ratios_out_of_fit, share_out
from make_us_rich.models.graph import tensor
from make_us_rich.models.har import last_rows
from make_us_rich.models.lightning_fit import WindowData, train
from make_us_rich.models.stretched_quantiles import BENDS, StretchedQuantiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from make_us_rich.features.split import Parts
    from make_us_rich.features.windows import Windows
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


def moments_of(windows: Windows) -> NDArray[np.float64]:
    """Mean and standard deviation of what HAR-V sees, 1 where it never changed; ``[2, state]``."""
    states = last_rows(windows)
    spread = states.std(axis=0)
    return np.stack([states.mean(axis=0), np.where(spread > 0, spread, 1.0)])


class Batch(NamedTuple):
    """Some windows.

    Attributes:
        path: ``[batch, lookback, channel]``.
        state: ``[batch, state]``.
        ratios: Returns over HAR-V's volatility, ``[batch, horizon]``.
        held: Held out by the member, ``[batch, member]``.
        learned: Learned from by the member, ``[batch, member]``.
    """

    path: Tensor
    state: Tensor
    ratios: Tensor
    held: Tensor
    learned: Tensor


class SharedWindows(Dataset[Batch]):
    """Training windows, each with who learns from it, gathered a batch at a time."""

    def __init__(
        self, windows: Windows, moments: NDArray[np.float64], ratios: NDArray[np.float64], shares: Shares
    ) -> None:
        rows = torch.from_numpy(windows.features)
        mean, spread = tensor(moments)
        self.rows = path_of(rows)
        self.origins = torch.from_numpy(windows.origins.astype(np.int64))
        self.steps = torch.arange(1 - windows.lookback, 1)
        self.states = state_of(rows[self.origins, : len(mean)], mean, spread)
        self.ratios = tensor(ratios)
        self.held, self.learned = torch.from_numpy(shares.held), torch.from_numpy(shares.learned)

    def __len__(self) -> int:
        return len(self.origins)

    def __getitems__(self, chosen: Sequence[int]) -> Batch:
        """See ``Batch``."""
        at = torch.as_tensor(chosen)
        paths = self.rows[self.origins[at, None] + self.steps]
        return Batch(paths, self.states[at], self.ratios[at], self.held[at], self.learned[at])


class CorrectionModule(LightningModule):
    """Pinball loss in units of HAR-V's volatility, so that every hour counts alike; AdamW.

    Each member learns from its own windows and keeps the weights that were best on those that it holds out. HAR-V
    itself is among the candidates: a member that never beats it corrects nothing.
    """

    levels: Tensor

    def __init__(
        self, members: Members, table: NDArray[np.float64], recipe: CorrectedHar, levels: tuple[float, ...]
    ) -> None:
        super().__init__()
        self.members = members
        self.to_quantiles = StretchedQuantiles(table)
        self.recipe = recipe
        self.register_buffer("levels", torch.tensor(levels))
        self.best = [copy.deepcopy(member) for member in members]
        self.lowest = np.full(recipe.members, -np.inf)
        self.sums, self.counts = np.zeros(recipe.members), np.zeros(recipe.members)

    def begin_with(self, losses: NDArray[np.float64], shares: Shares) -> None:
        """HAR-V's losses by window are those to beat; a member that holds nothing out cannot."""
        for index, held in enumerate(shares.held.T):
            self.best[index].silence()
            if held.any():
                self.lowest[index] = losses[held].mean()

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        """Mean over the members, each on the windows that it learns from."""
        losses = [self._losses(member, batch, chosen).mean() for _, member, chosen in self._with(batch.learned)]
        loss = torch.stack(losses).mean() if losses else torch.zeros((), requires_grad=True)
        self.log("train_loss", loss.detach(), on_step=False, on_epoch=True, prog_bar=True, batch_size=len(batch.path))
        return loss

    def validation_step(self, batch: Batch, _index: int) -> None:
        """Each member on the windows that it holds out."""
        for index, member, chosen in self._with(batch.held):
            losses = self._losses(member, batch, chosen)
            self.sums[index] += float(losses.sum())
            self.counts[index] += len(losses)

    def on_validation_epoch_end(self) -> None:
        """Keep the members that have become better."""
        losses = self.sums / np.maximum(self.counts, 1)
        self.log("validation_loss", float(self.sums.sum() / self.counts.sum()), prog_bar=True)
        self.sums[:], self.counts[:] = 0, 0
        if self.trainer.sanity_checking:
            return
        for index, member in enumerate(self.members):
            if losses[index] < self.lowest[index]:
                self.lowest[index], self.best[index] = losses[index], copy.deepcopy(member)

    def _with(self, mask: Tensor) -> Iterator[tuple[int, Member, Tensor]]:
        """The members that have windows in a batch, and which."""
        each = zip(count(), self.members, mask.T, strict=False)
        return ((index, member, chosen) for index, member, chosen in each if chosen.any())

    def _losses(self, member: Member, batch: Batch, chosen: Tensor) -> Tensor:
        """Pinball loss of one member, ``[window]``."""
        corrections = member(batch.path[chosen], batch.state[chosen])
        errors = batch.ratios[chosen].unsqueeze(-1) - self.to_quantiles(corrections)
        return torch.maximum(self.levels * errors, (self.levels - 1) * errors).mean(dim=(1, 2))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW."""
        return torch.optim.AdamW(
            self.members.parameters(), lr=self.recipe.learning_rate, weight_decay=self.recipe.weight_decay
        )
