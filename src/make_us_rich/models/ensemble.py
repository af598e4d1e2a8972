"""The quantile ensemble: the mean of several models' quantiles, as one more model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
from pydantic import Field, SerializeAsAny

from make_us_rich.backtest.calibration import Quantiles
from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.forecast import TARGETS
from make_us_rich.features.registry import find_feature_set
from make_us_rich.features.split import Parts
from make_us_rich.models.base import (
    Architecture,
    Challenger,
    Challengers,
    FitSettings,
    FittedModel,
    Scaler,
    loss_history,
)
from make_us_rich.models.closed_form import build_onnx

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from onnx import GraphProto

ENSEMBLE = "ensemble"
"""Name of its graphs."""


class QuantileEnsemble(Architecture):
    """The plain mean, at every level, of the members' quantiles: Vincentization.

    Genest 1992, "Vincentization Revisited", The Annals of Statistics 20; Lichtendahl, Grushka-Cockayne and Winkler
    2013, "Is It Better to Average Probabilities or Quantiles?", Management Science 59: averaged quantiles give a
    sharper distribution than averaged probabilities.

    Attributes:
        feature_set: Feature set of the member whose columns include all others'.
        lookback: The longest of the members', hours.
        members: By name, two or more.
    """

    members: dict[str, SerializeAsAny[Architecture]] = Field(min_length=2)

    @classmethod
    def of(cls, members: Mapping[str, Architecture]) -> QuantileEnsemble:
        """Combine architectures.

        Raises:
            ParameterError: They cannot be combined; see ``can_combine``.
        """
        if not can_combine(members):
            raise ParameterError(
                f"{', '.join(members) or 'nothing'} cannot be combined",
                "choose two or more architectures of which one sees all columns that the others see",
            )
        lookback = max(member.lookback for member in members.values())
        return cls(feature_set=_widest(members).feature_set, lookback=lookback, members=dict(members))

    def fit(
        self, parts: Parts, scaler: Scaler, settings: FitSettings, previous: FittedModel | None = None
    ) -> FittedEnsemble:
        """Fit every member on its own columns and lookback of the same windows."""
        before = cast("FittedEnsemble", previous).members if previous else {}
        return self.assemble(
            {
                name: member.fit(
                    narrow(parts, member),
                    narrow_scaler(scaler, parts, member),
                    settings,
                    before[name].fitted if name in before else None,
                )
                for name, member in self.members.items()
            }
        )

    def assemble(self, fitted: Mapping[str, FittedModel]) -> FittedEnsemble:
        """The members' fitted models, by name, as one."""
        columns = columns_of(self)
        members = {
            name: FittedMember(fitted[name], member.lookback, column_indices(columns, member))
            for name, member in self.members.items()
        }
        return FittedEnsemble(members, self.lookback, len(columns))


def can_combine(members: Mapping[str, Architecture]) -> bool:
    """Whether there are two or more, and one of them sees all columns that the others see."""
    if len(members) < 2:
        return False
    widest = set(columns_of(_widest(members)))
    return all(widest.issuperset(columns_of(member)) for member in members.values())


def combine(challengers: Challengers) -> Challenger:
    """Fitted challengers as one more, without another fit.

    Raises:
        ParameterError: They cannot be combined; see ``can_combine``.
    """
    ensemble = QuantileEnsemble.of({name: each.architecture for name, each in challengers.items()})
    return Challenger(ensemble, ensemble.assemble({name: each.fitted for name, each in challengers.items()}))


def columns_of(architecture: Architecture) -> tuple[str, ...]:
    """Names of an architecture's features, in the order of its input."""
    return find_feature_set(architecture.feature_set).columns


def column_indices(columns: tuple[str, ...], member: Architecture) -> NDArray[np.intp]:
    """Indices of a member's features among wider columns, in the member's own order, ``[feature]``."""
    return np.array([columns.index(column) for column in columns_of(member)])


def narrow(parts: Parts, member: Architecture) -> Parts:
    """The same windows with a member's own columns and lookback."""
    train = parts.train
    features = np.ascontiguousarray(train.features[:, column_indices(train.columns, member)])
    own = replace(train, features=features, columns=columns_of(member), lookback=member.lookback)
    return Parts(own, own.at(parts.validation.origins), own.at(parts.test.origins))


@dataclass
class NarrowScaler:
    """A scaler of some of the features; see ``Scaler``."""

    scale_: NDArray[np.float64]
    min_: NDArray[np.float64]


def narrow_scaler(scaler: Scaler, parts: Parts, member: Architecture) -> Scaler:
    """The scaler of a member's own columns, from that of all columns of the parts."""
    indices = column_indices(parts.train.columns, member)
    return NarrowScaler(scaler.scale_[indices], scaler.min_[indices])


def _widest(members: Mapping[str, Architecture]) -> Architecture:
    return max(members.values(), key=lambda member: len(columns_of(member)))


@dataclass(frozen=True)
class FittedMember:
    """A fitted member and its part of the ensemble's input.

    Attributes:
        fitted: The member's model.
        lookback: Number of newest rows that it sees.
        columns: Index of each of its features, ``[feature]``.
    """

    fitted: FittedModel
    lookback: int
    columns: NDArray[np.intp]


@dataclass(frozen=True)
class FittedEnsemble:
    """Fitted members side by side.

    Attributes:
        members: By name.
        lookback: Candles of its input.
        features: Columns of its input.
    """

    members: dict[str, FittedMember]
    lookback: int
    features: int

    @property
    def history(self) -> pd.DataFrame:
        """Empty: the mean has no fit of its own."""
        return loss_history([])

    def quantiles(self, inputs: NDArray[np.float32]) -> Quantiles:
        """The mean of the members' quantiles, which ascends because each of theirs does; see ``FittedModel``."""
        each = [one.fitted.quantiles(inputs[:, -one.lookback :, one.columns]) for one in self.members.values()]
        return {target: np.mean([one[target] for one in each], axis=0, dtype=np.float32) for target in TARGETS}

    def to_onnx(self) -> bytes:
        """The members' graphs side by side, each on its own rows and columns, and their mean."""
        graphs = {name: _prefixed(name, member.fitted) for name, member in self.members.items()}
        selections, constants = [], {}
        for name, member in self.members.items():
            constants[f"rows_of_{name}"] = np.arange(self.lookback - member.lookback, self.lookback)
            constants[f"columns_of_{name}"] = member.columns
            selections.append(f"newest_of_{name} = Gather <axis = 1> (features, rows_of_{name})")
            selections.append(f"{name}_features = Gather <axis = 2> (newest_of_{name}, columns_of_{name})")
        means = [f"{target} = Mean ({', '.join(f'{name}_{target}' for name in graphs)})" for target in TARGETS]
        _, horizon, levels = next(iter(graphs.values())).output[0].type.tensor_type.shape.dim
        shapes = (self.lookback, self.features), (horizon.dim_value, levels.dim_value)
        model = build_onnx(ENSEMBLE, "\n".join([*selections, *means]), constants, shapes)
        mean_nodes = [model.graph.node.pop() for _ in means]
        for graph in graphs.values():
            model.graph.node.extend(graph.node)
            model.graph.initializer.extend(graph.initializer)
        model.graph.node.extend(mean_nodes)
        return bytes(model.SerializeToString())


def _prefixed(name: str, fitted: FittedModel) -> GraphProto:
    """A member's graph with its name before every name in it."""
    import onnx

    return onnx.compose.add_prefix(onnx.load_from_string(fitted.to_onnx()), f"{name}_").graph
