"""What networks that correct HAR-V are trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from make_us_rich.models.correction_network import path_of, state_of
from make_us_rich.models.graph import tensor
from make_us_rich.models.har import last_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from make_us_rich.features.windows import Windows
    from make_us_rich.models.cross_fit import Shares


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


def moments_of(windows: Windows) -> NDArray[np.float64]:
    """Mean and standard deviation of what HAR-V sees, 1 where it never changed; ``[2, state]``."""
    states = last_rows(windows)
    spread = states.std(axis=0)
    return np.stack([states.mean(axis=0), np.where(spread > 0, spread, 1.0)])
