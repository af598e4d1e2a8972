"""From torch to ONNX, for every network."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch
from torch import nn

from make_us_rich.domain.errors import ParityError
from make_us_rich.domain.onnx_contract import INPUT, OPSET, OUTPUT

if TYPE_CHECKING:
    from onnx import ModelProto


def to_onnx(forecaster: nn.Module, lookback: int, features: int) -> bytes:
    """Export a forecaster with a dynamic batch and its weights inside.

    Args:
        forecaster: ``[batch, lookback, feature]`` to ``[batch, horizon, level]``.
        lookback: Hours.
        features: Number of features.
    """
    # An example batch of one would freeze the batch at one without a word.
    example = torch.ones(2, lookback, features)
    with warnings.catch_warnings():
        # The exporter warns of how torch's own LSTM is traced; parity is checked on what comes out.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            forecaster.eval().cpu(),
            (example,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise ParityError("torch exported no program; look at its log above")
    model = program.model_proto
    _forget_traces(model)
    return bytes(model.SerializeToString())


def _forget_traces(model: ModelProto) -> None:
    """Torch notes on each node where in the source it comes from, with this machine's paths; they are published."""
    for noted in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del noted.metadata_props[:]
