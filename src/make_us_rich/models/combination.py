"""The combination: the mean of several models' quantiles, as one more model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
from pydantic import Field, SerializeAsAny

from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.onnx_contract import INPUT, OUTPUT
from make_us_rich.features.feature_set import find_feature_set
from make_us_rich.features.split import Parts
from make_us_rich.models.challengers import Challenger, Challengers
from make_us_rich.models.closed_form import loss_history, serialise
from make_us_rich.models.interface import Architecture, FitSettings, FittedModel, Scaler

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from onnx import GraphProto, NodeProto

COMBINATION = "combination"
"""Its name, beside those in the registry."""


class Combination(Architecture):
    """The plain mean, at every level, of the members' quantiles: Vincentization.

    Genest 1992, "Vincentization Revisited", The Annals of Statistics 20; Lichtendahl, Grushka-Cockayne and Winkler
    2013, "Is It Better to Average Probabilities or Quantiles?", Management Science 59: the distribution of averaged
    quantiles is sharper than that of averaged probabilities, which widens where the members disagree.

    Attributes:
        feature_set: That of the member whose columns include all others'.
        lookback: The longest of the members', hours.
        members: By name, two or more.
    """

    members: dict[str, SerializeAsAny[Architecture]] = Field(min_length=2)

    @classmethod
    def of(cls, members: Mapping[str, Architecture]) -> Combination:
        """Combine architectures; ask ``combinable`` first.

        Raises:
            ParameterError: They cannot be combined.
        """
        if not combinable(members):
            raise ParameterError(
                f"{', '.join(members) or 'nothing'} cannot be combined; choose two or more architectures"
                " of which one sees all columns that the others see"
            )
        lookback = max(member.lookback for member in members.values())
        return cls(feature_set=_widest(members).feature_set, lookback=lookback, members=dict(members))

    def fit(self, parts: Parts, scaler: Scaler, settings: FitSettings) -> FittedCombination:
        """Fit every member on what it sees of the same windows."""
        return self.hold(
            {
                name: member.fit(narrow(parts, member), narrow_scaler(scaler, parts, member), settings)
                for name, member in self.members.items()
            }
        )

    def refit(self, previous: FittedModel, parts: Parts, scaler: Scaler, settings: FitSettings) -> FittedCombination:
        """Every member begins where its own fit ended."""
        before = cast("FittedCombination", previous).members
        return self.hold(
            {
                name: member.refit(
                    before[name].fitted, narrow(parts, member), narrow_scaler(scaler, parts, member), settings
                )
                for name, member in self.members.items()
            }
        )

    def hold(self, fitted: Mapping[str, FittedModel]) -> FittedCombination:
        """The members' fitted models, by name, as one."""
        seats = {
            name: Seat(fitted[name], member.lookback, pick_columns(columns_of(self), member))
            for name, member in self.members.items()
        }
        return FittedCombination(seats, self.lookback, len(columns_of(self)))


def combinable(members: Mapping[str, Architecture]) -> bool:
    """Whether there are two or more, and one of them sees all columns that the others see."""
    if len(members) < 2:
        return False
    widest = set(columns_of(_widest(members)))
    return all(widest.issuperset(columns_of(member)) for member in members.values())


def combine(challengers: Challengers) -> Challenger:
    """Fitted challengers as one more; nothing is fitted again.

    Raises:
        ParameterError: They cannot be combined; see ``combinable``.
    """
    combination = Combination.of({name: each.architecture for name, each in challengers.items()})
    return Challenger(combination, combination.hold({name: each.fitted for name, each in challengers.items()}))


def columns_of(architecture: Architecture) -> tuple[str, ...]:
    """Names of the features that it sees, in the order of its input."""
    return find_feature_set(architecture.feature_set).columns


def pick_columns(columns: tuple[str, ...], member: Architecture) -> NDArray[np.intp]:
    """Where a member's features stand among wider columns, in the member's own order, ``[feature]``."""
    return np.array([columns.index(column) for column in columns_of(member)])


def narrow(parts: Parts, member: Architecture) -> Parts:
    """The same windows as a member sees them: its own columns and lookback."""
    whole = parts.fit
    features = np.ascontiguousarray(whole.features[:, pick_columns(whole.columns, member)])
    fit = replace(whole, features=features, columns=columns_of(member), lookback=member.lookback)
    return Parts(fit, fit.at(parts.validation.origins), fit.at(parts.test.origins))


@dataclass
class NarrowScaler:
    """A scaler of some of the features; see ``Scaler``."""

    scale_: NDArray[np.float64]
    min_: NDArray[np.float64]


def narrow_scaler(scaler: Scaler, parts: Parts, member: Architecture) -> Scaler:
    """The scaler of a member's own columns, from that of all columns of the parts."""
    picked = pick_columns(parts.fit.columns, member)
    return NarrowScaler(scaler.scale_[picked], scaler.min_[picked])


def _widest(members: Mapping[str, Architecture]) -> Architecture:
    return max(members.values(), key=lambda member: len(columns_of(member)))


@dataclass(frozen=True)
class Seat:
    """A fitted member and what it sees of the combination's input.

    Attributes:
        fitted: The member's model.
        lookback: It sees so many of the newest rows.
        columns: Index of each of its features, ``[feature]``.
    """

    fitted: FittedModel
    lookback: int
    columns: NDArray[np.intp]

    def quantiles(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The member's own, from the combination's input."""
        return self.fitted.quantiles(inputs[:, -self.lookback :, self.columns])

    def graph(self, prefix: str) -> GraphProto:
        """The member's graph with a prefix before each name, its two ends' too."""
        import onnx

        return onnx.compose.add_prefix(onnx.load_from_string(self.fitted.to_onnx()), prefix).graph


@dataclass(frozen=True)
class FittedCombination:
    """Fitted members side by side.

    Attributes:
        members: By name.
        lookback: Candles that it is given.
        features: Columns that it is given.
    """

    members: dict[str, Seat]
    lookback: int
    features: int

    @property
    def history(self) -> pd.DataFrame:
        """No row: the mean has no fit of its own, and each member tells its own."""
        return loss_history([])

    def quantiles(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mean of the members' quantiles, which ascends because each of theirs does; see ``FittedModel``."""
        each = [seat.quantiles(inputs) for seat in self.members.values()]
        mean: NDArray[np.float32] = np.mean(each, axis=0, dtype=np.float32)
        return mean

    def to_onnx(self) -> bytes:
        """The members' graphs side by side: before each the choice of what it sees, behind them the mean."""
        from onnx.helper import make_node

        graphs = {f"{name}/": seat.graph(f"{name}/") for name, seat in self.members.items()}
        mean = make_node("Mean", [f"{prefix}{OUTPUT}" for prefix in graphs], [OUTPUT])
        nodes = [node for prefix, graph in graphs.items() for node in (*_choice(prefix), *graph.node)]
        constants = {name: value for graph in graphs.values() for name, value in _initializers(graph).items()}
        for prefix, seat in zip(graphs, self.members.values(), strict=True):
            constants[f"rows of {prefix}"] = np.arange(self.lookback - seat.lookback, self.lookback)
            constants[f"columns of {prefix}"] = seat.columns
        ends = (self.lookback, self.features), _table_shape(next(iter(graphs.values())))
        return serialise(COMBINATION, [*nodes, mean], constants, ends)


def _choice(prefix: str) -> list[NodeProto]:
    from onnx.helper import make_node

    return [
        make_node("Gather", [INPUT, f"rows of {prefix}"], [f"newest of {prefix}"], axis=1),
        make_node("Gather", [f"newest of {prefix}", f"columns of {prefix}"], [f"{prefix}{INPUT}"], axis=2),
    ]


def _initializers(graph: GraphProto) -> dict[str, NDArray[np.generic]]:
    from onnx.numpy_helper import to_array

    return {tensor.name: to_array(tensor) for tensor in graph.initializer}


def _table_shape(graph: GraphProto) -> tuple[int, int]:
    _, horizon, levels = graph.output[0].type.tensor_type.shape.dim
    return horizon.dim_value, levels.dim_value
