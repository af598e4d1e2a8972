"""PyTorch for every network: modules from functions, windows as batches, training with Lightning, export to ONNX."""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint, TQDMProgressBar
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from make_us_rich.domain.errors import ParityError
from make_us_rich.domain.forecast import TARGETS
from make_us_rich.inference.session import INPUT, OPSET

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from make_us_rich.backtest.calibration import Quantiles
    from make_us_rich.models.base import FitSettings

log = logging.getLogger(__name__)
# Lightning sets its own level when it is imported; the loss history has the same information.
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)

PREDICT_BATCH = 512


class FunctionModule(nn.Module):
    """A module whose forward is a plain function, so that an architecture's own module imports no torch.

    Args:
        function: Called with this module and its input; picklable.
        parts: Layers, parameters and, as arrays, buffers: attributes of this module by name.
    """

    def __init__(self, function: Callable[..., Any], **parts: nn.Module | nn.Parameter | NDArray[np.floating]) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, nn.Buffer(to_tensor(part)) if isinstance(part, np.ndarray) else part)

    def forward(self, inputs: Tensor) -> Any:
        """The function's result."""
        return self.function(self, inputs)


def to_tensor(values: NDArray[np.floating]) -> Tensor:
    """From numpy to torch, single precision."""
    return torch.from_numpy(values.astype(np.float32))


class SequenceDataset(Dataset[tuple[Tensor, ...]]):
    """Windows over the rows of one tensor, gathered a batch at a time.

    Args:
        rows: ``[row, channel]``.
        origins: Last row of each window, ``[window]``.
        lookback: Rows of a window.
        others: More tensors, one row a window.
    """

    def __init__(self, rows: Tensor, origins: NDArray[np.intp], lookback: int, *others: Tensor) -> None:
        self.rows, self.others = rows, others
        self.origins = torch.from_numpy(origins.astype(np.int64))
        self.steps = torch.arange(1 - lookback, 1)

    def __len__(self) -> int:
        return len(self.origins)

    def __getitems__(self, chosen: Sequence[int]) -> tuple[Tensor, ...]:
        """``[batch, lookback, channel]`` and the others, ``[batch, ...]``."""
        at = torch.as_tensor(chosen)
        return self.rows[self.origins[at, None] + self.steps], *(values[at] for values in self.others)


class NextValueModule(LightningModule):
    """Mean squared error of a network, ``[batch, lookback, channel]`` to ``[batch, 1]``, with AdamW."""

    def __init__(self, network: nn.Module, learning_rate: float) -> None:
        super().__init__()
        self.network = network
        self.learning_rate = learning_rate

    def training_step(self, batch: tuple[Tensor, ...], _index: int) -> Tensor:
        """Loss of one batch."""
        return self._loss("train_loss", *batch)

    def validation_step(self, batch: tuple[Tensor, ...], _index: int) -> Tensor:
        """Loss of one batch."""
        return self._loss("validation_loss", *batch)

    def _loss(self, name: str, inputs: Tensor, targets: Tensor) -> Tensor:
        loss = nn.functional.mse_loss(self.network(inputs), targets)
        self.log(name, loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(targets))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW with its default weight decay."""
        return torch.optim.AdamW(self.parameters(), lr=self.learning_rate)


class LossHistory(Callback):
    """Keeps and logs both losses of every epoch."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Lightning validates within the epoch, so both losses are there."""
        losses = {name: float(trainer.callback_metrics[name]) for name in ("train_loss", "validation_loss")}
        self.rows.append({"step": trainer.current_epoch, **losses})
        epochs = trainer.current_epoch + 1, trainer.max_epochs
        log.info("epoch %d of at most %d: train loss %.6f, validation loss %.6f", *epochs, *losses.values())


def train(
    module: LightningModule,
    train_windows: SequenceDataset,
    validation_windows: SequenceDataset,
    settings: FitSettings,
    *,
    batch_size: int,
    max_epochs: int,
    patience: int,
) -> pd.DataFrame:
    """Fit with early stopping and load the best weights into the module.

    Args:
        module: Logs ``train_loss`` and ``validation_loss`` every epoch.
        train_windows: Shuffled every epoch.
        validation_windows: For early stopping.
        settings: Seed of the shuffle, accelerator.
        batch_size: Windows a step.
        max_epochs: Upper limit.
        patience: Epochs without a better validation loss before the fit stops.

    Returns:
        One row an epoch: ``step``, ``train_loss``, ``validation_loss``.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    # Without workers: they would double the time of an epoch, because the windows are gathered from memory.
    batches = DataLoader(train_windows, batch_size, shuffle=True, generator=generator, collate_fn=lambda batch: batch)
    validation = DataLoader(validation_windows, batch_size, collate_fn=lambda batch: batch)
    history = LossHistory()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        # Lightning 2.6 calls a deprecated interface of torch 2.13.
        warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
        best = ModelCheckpoint(folder, monitor="validation_loss")
        stop = EarlyStopping("validation_loss", patience=patience)
        interactive = sys.stderr.isatty()
        trainer = Trainer(
            accelerator=settings.accelerator,
            devices=1,
            max_epochs=max_epochs,
            deterministic=True,
            logger=False,
            default_root_dir=folder,
            callbacks=[history, stop, best, *([TQDMProgressBar()] if interactive else [])],
            enable_progress_bar=interactive,
            enable_model_summary=False,
        )
        trainer.fit(module, batches, validation)
        module.load_state_dict(torch.load(best.best_model_path, weights_only=True)["state_dict"])
    return pd.DataFrame(history.rows)


def nested(close: Tensor, high: Tensor, low: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`calibration.nest` for tensors."""
    zero = close.new_zeros(())
    return close, torch.maximum(high, torch.maximum(close, zero)), torch.minimum(low, torch.minimum(close, zero))


@dataclass(frozen=True)
class FittedNetwork:
    """A trained forecaster; see ``FittedModel``.

    Attributes:
        forecaster: ``[batch, lookback, feature]`` to closes, highs and lows, ``[batch, horizon, level]``; on the CPU.
        lookback: Hours.
        features: Number of features.
        history: One row an epoch.
    """

    forecaster: Any
    lookback: int
    features: int
    history: pd.DataFrame

    @torch.inference_mode()
    def quantiles(self, inputs: NDArray[np.float32]) -> Quantiles:
        """Run the forecaster a batch at a time; see ``FittedModel``."""
        batches = (torch.tensor(inputs[at : at + PREDICT_BATCH]) for at in range(0, len(inputs), PREDICT_BATCH))
        by_target = zip(*(self.forecaster(batch) for batch in batches), strict=True)
        return {target: torch.cat(parts).numpy() for target, parts in zip(TARGETS, by_target, strict=True)}

    def to_onnx(self) -> bytes:
        """Export with a dynamic batch and the weights inside; see ``FittedModel``."""
        # The exporter silently fixes the batch size at 1 if the example batch has one window.
        example = torch.ones(2, self.lookback, self.features)
        with warnings.catch_warnings():
            # The exporter warns of how it traces LSTMs; converting checks the parity of the result.
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                self.forecaster,
                (example,),
                input_names=[INPUT],
                output_names=list(TARGETS),
                opset_version=OPSET,
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                external_data=False,
                verbose=False,
            )
        if program is None:
            raise ParityError("torch did not export the network", "read its messages above")
        model = program.model_proto
        # Torch notes the source line of each node, with this machine's paths, and the model is published.
        for noted in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
            del noted.metadata_props[:]
        return bytes(model.SerializeToString())
