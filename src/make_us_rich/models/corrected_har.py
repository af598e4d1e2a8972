"""The architectures that correct HAR by small networks: ``lstm`` and ``patch_transformer``."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from make_us_rich.domain.forecast import HORIZON
from make_us_rich.models.base import FitSettings, FittedModel, Scaler
from make_us_rich.models.har import HarArchitecture

if TYPE_CHECKING:
    from typing import Self

    from torch import Tensor, nn

    from make_us_rich.features.split import Parts


class CorrectedHar(HarArchitecture):
    """``har``, corrected by the mean of several small networks; see docs/research/networks.md.

    Attributes:
        members: Networks whose corrections are averaged; each is stopped on windows that it alone holds out.
        holdout_block_hours: Contiguous hours that one member holds out before the next member's block begins.
        hidden_size: Width of the encoder, and of the layer that sees the HAR features.
        dropout: Before the last layer.
        batch_size: Windows a training step.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW.
        max_epochs: Largest number of passes over the training windows.
        warm_start_epochs: The same for a fit that starts from the weights of the one before.
        patience: Epochs without a better validation loss before the fit stops; the best weights are used.
    """

    trains_network: ClassVar[bool] = True

    feature_set: Literal["har_sequence"] = "har_sequence"
    members: int = Field(ge=2)
    holdout_block_hours: int = Field(ge=HORIZON)
    hidden_size: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    max_epochs: int = Field(ge=1)
    warm_start_epochs: int = Field(ge=1)
    patience: int = Field(ge=1)

    @abstractmethod
    def encoder(self, channels: int) -> nn.Module:
        """The part that reads the sequence: ``[batch, lookback, channel]`` to ``[batch, hidden_size]``."""

    def fit(
        self,
        parts: Parts,
        scaler: Scaler,  # noqa: ARG002
        settings: FitSettings,
        previous: FittedModel | None = None,
    ) -> FittedModel:
        """Train with Lightning; see ``fit_corrections``."""
        from make_us_rich.models.correction_fit import fit_corrections

        return fit_corrections(self, parts, settings, previous)


class Lstm(CorrectedHar):
    """Heterogeneous autoregression of volatility (HAR), corrected by small LSTMs over the last hours."""

    def encoder(self, channels: int) -> nn.Module:
        """One LSTM layer; see ``CorrectedHar``."""
        from torch import nn

        from make_us_rich.models.networks import FunctionModule

        return FunctionModule(last_hidden, lstm=nn.LSTM(channels, self.hidden_size, batch_first=True))


def last_hidden(encoder: Any, sequence: Tensor) -> Tensor:
    """The last hidden state of an LSTM, ``[batch, hidden]``."""
    _, (hidden, _) = encoder.lstm(sequence)
    last: Tensor = hidden[-1]
    return last


class PatchTransformer(CorrectedHar):
    """Heterogeneous autoregression of volatility (HAR), corrected by small transformers over the last days.

    Attention over patches of a few hours (Nie et al. 2023, "A Time Series is Worth 64 Words", ICLR).

    Attributes:
        patch_hours: Hours of one patch; the lookback is a multiple of them.
        heads: Of the attention; the hidden size is a multiple of them.
        layers: Number of attention layers.
    """

    patch_hours: int = Field(ge=1)
    heads: int = Field(ge=1)
    layers: int = Field(ge=1)

    @model_validator(mode="after")
    def _check_multiples(self) -> Self:
        if self.lookback % self.patch_hours:
            raise ValueError(f"lookback {self.lookback} is not a multiple of patch_hours {self.patch_hours}")
        if self.hidden_size % self.heads:
            raise ValueError(f"hidden_size {self.hidden_size} is not a multiple of heads {self.heads}")
        return self

    def encoder(self, channels: int) -> nn.Module:
        """Patches with a learned position, and attention over them; see ``CorrectedHar``."""
        import torch
        from torch import nn

        from make_us_rich.models.networks import FunctionModule

        patches, hidden = self.lookback // self.patch_hours, self.hidden_size
        return FunctionModule(
            encode_patches,
            embed=nn.Linear(self.patch_hours * channels, hidden),
            position=nn.Parameter(0.1 * torch.randn(patches, hidden)),
            layers=nn.ModuleList(_attention_layer(hidden, self.heads) for _ in range(self.layers)),
            norm=nn.LayerNorm(hidden),
        )


def encode_patches(encoder: Any, sequence: Tensor) -> Tensor:
    """The newest patch after attention, ``[batch, hidden]`` from ``[batch, lookback, channel]``."""
    patches = len(encoder.position)
    values = encoder.embed(sequence.reshape(sequence.shape[0], patches, -1)) + encoder.position
    for layer in encoder.layers:
        values = layer(values)
    newest: Tensor = encoder.norm(values[:, -1])
    return newest


def _attention_layer(hidden: int, heads: int) -> nn.Module:
    from torch import nn

    from make_us_rich.models.networks import FunctionModule

    return FunctionModule(
        partial(attend, heads=heads),
        before_attention=nn.LayerNorm(hidden),
        before_feedforward=nn.LayerNorm(hidden),
        query=nn.Linear(hidden, hidden),
        key=nn.Linear(hidden, hidden),
        value=nn.Linear(hidden, hidden),
        output=nn.Linear(hidden, hidden),
        expand=nn.Linear(hidden, 2 * hidden),
        contract=nn.Linear(2 * hidden, hidden),
    )


def attend(layer: Any, values: Tensor, heads: int) -> Tensor:
    """Multi-head attention and a feed-forward layer, each after a layer norm; ``[batch, patch, hidden]`` to the same.

    Vaswani et al. 2017, "Attention Is All You Need".
    """
    from torch import nn

    normed = layer.before_attention(values)
    # [batch, head, patch, hidden / heads]
    query, key, value = (
        each(normed).reshape(*normed.shape[:2], heads, -1).transpose(1, 2)
        for each in (layer.query, layer.key, layer.value)
    )
    attended = nn.functional.scaled_dot_product_attention(query, key, value)
    values = values + layer.output(attended.transpose(1, 2).flatten(2))
    feedforward: Tensor = layer.contract(layer.expand(layer.before_feedforward(values)).relu())
    return values + feedforward
