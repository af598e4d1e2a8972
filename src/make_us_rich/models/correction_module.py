"""The training of networks that correct HAR-V: loss, optimiser, and which weights are kept."""

from __future__ import annotations

import copy
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor

from make_us_rich.models.stretched_quantiles import StretchedQuantiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from make_us_rich.models.corrected_har import CorrectedHar
    from make_us_rich.models.correction_network import Member, Members
    from make_us_rich.models.correction_windows import Batch
    from make_us_rich.models.cross_fit import Shares


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
