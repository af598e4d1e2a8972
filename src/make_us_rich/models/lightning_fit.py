"""Training with PyTorch Lightning: windows as a data module, loss and optimiser as a Lightning module."""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint, TQDMProgressBar
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from make_us_rich.features.windows import Windows
    from make_us_rich.models.interface import Scaler

log = logging.getLogger(__name__)
# Lightning sets its own level when it is imported; what it tells is on the curve already.
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)

Batch = tuple[Tensor, Tensor]


class ScaledWindows(Dataset[Batch]):
    """Windows of scaled features and the scaled next value of one column, gathered a batch at a time."""

    def __init__(self, windows: Windows, scaler: Scaler, target: int) -> None:
        scaled = (windows.features * scaler.scale_ + scaler.min_).astype(np.float32)
        self.rows = torch.from_numpy(scaled)
        self.origins = torch.from_numpy(windows.origins.astype(np.int64))
        self.steps = torch.arange(1 - windows.lookback, 1)
        self.target = target

    def __len__(self) -> int:
        return len(self.origins)

    def __getitems__(self, chosen: Sequence[int]) -> Batch:
        """``[batch, lookback, feature]`` and ``[batch, 1]``."""
        origins = self.origins[torch.as_tensor(chosen)]
        inputs = self.rows[origins[:, None] + self.steps]
        return inputs, self.rows[origins + 1, self.target, None]


class WindowData(LightningDataModule):
    """Windows to fit on, shuffled from a seed, and windows to validate on; both gather a batch at a time."""

    def __init__(self, fit: Dataset[Any], validation: Dataset[Any], batch_size: int, seed: int) -> None:
        super().__init__()
        self.fit_windows = fit
        self.validation_windows = validation
        self.batch_size = batch_size
        self.seed = seed

    def train_dataloader(self) -> DataLoader[Any]:
        """Every fit window once an epoch."""
        generator = torch.Generator().manual_seed(self.seed)
        return DataLoader(self.fit_windows, self.batch_size, shuffle=True, generator=generator, collate_fn=_as_gathered)

    def val_dataloader(self) -> DataLoader[Any]:
        """The original's batches of one window double the epoch and change no figure."""
        return DataLoader(self.validation_windows, self.batch_size, collate_fn=_as_gathered)


def _as_gathered(batch: Any) -> Any:
    return batch


class NextCloseModule(LightningModule):
    """Mean squared error of the scaled next close, with AdamW."""

    def __init__(self, network: nn.Module, learning_rate: float) -> None:
        super().__init__()
        self.network = network
        self.learning_rate = learning_rate

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        """Loss of one batch."""
        return self._loss("train_loss", batch)

    def validation_step(self, batch: Batch, _index: int) -> Tensor:
        """Loss of one batch."""
        return self._loss("validation_loss", batch)

    def _loss(self, name: str, batch: Batch) -> Tensor:
        inputs, target = batch
        loss = nn.functional.mse_loss(self.network(inputs), target)
        self.log(name, loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(target))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW with its default weight decay."""
        return torch.optim.AdamW(self.parameters(), lr=self.learning_rate)


class Curve(Callback):
    """Keeps both losses of every epoch; a plain line each in the log."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Lightning validates within the epoch: both losses are there."""
        losses = {name: float(trainer.callback_metrics[name]) for name in ("train_loss", "validation_loss")}
        self.rows.append({"step": trainer.current_epoch, **losses})
        log.info(
            "epoch %d of at most %d: train loss %.6f, validation loss %.6f",
            trainer.current_epoch + 1,
            trainer.max_epochs,
            *losses.values(),
        )


def train(module: LightningModule, data: WindowData, max_epochs: int, patience: int, accelerator: str) -> pd.DataFrame:
    """Fit with early stopping and leave the best weights in the module.

    Args:
        module: Logs ``train_loss`` and ``validation_loss`` every epoch.
        data: What it is fitted and validated on.
        max_epochs: At most this many.
        patience: Epochs without a better validation loss before the fit stops.
        accelerator: As in ``FitSettings``.

    Returns:
        One row an epoch: ``step``, ``train_loss``, ``validation_loss``.
    """
    curve = Curve()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # Workers would double the time of an epoch: the windows are gathered from memory.
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        # Lightning 2.6 still asks torch 2.13 the old way.
        warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
        best = ModelCheckpoint(folder, monitor="validation_loss")
        stop = EarlyStopping("validation_loss", patience=patience)
        trainer = Trainer(
            accelerator=accelerator,
            devices=1,
            max_epochs=max_epochs,
            deterministic=True,
            logger=False,
            default_root_dir=folder,
            callbacks=[curve, stop, best, *progress_bars()],
            enable_progress_bar=sys.stderr.isatty(),
            enable_model_summary=False,
        )
        trainer.fit(module, data)
        state = torch.load(best.best_model_path, weights_only=True)["state_dict"]
    module.load_state_dict(state)
    return pd.DataFrame(curve.rows)


def progress_bars() -> list[Callback]:
    """A bar on a terminal, nothing in a log."""
    return [TQDMProgressBar()] if sys.stderr.isatty() else []
