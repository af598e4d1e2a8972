"""The quantile ensemble: the mean of several models' quantiles, as one more model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from make_us_rich.backtest.calibration import Quantiles
from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.forecast import TARGETS
from make_us_rich.features.registry import find_feature_set
from make_us_rich.models.base import Challenger, Challengers, FittedModel, ModelInput, loss_history
from make_us_rich.models.closed_form import build_onnx

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class QuantileEnsemble(ModelInput):
    """The plain mean, at every level, of the members' quantiles: Vincentization.

    Genest 1992, "Vincentization Revisited", The Annals of Statistics 20; Lichtendahl, Grushka-Cockayne and Winkler
    2013, "Is It Better to Average Probabilities or Quantiles?", Management Science 59: averaged quantiles give a
    sharper distribution than averaged probabilities.

    Attributes:
        feature_set: Feature set of the member whose columns include all others'.
        lookback: The longest of the members', hours.
        members: By name, two or more.
    """

    members: dict[str, ModelInput]


def can_combine(members: Mapping[str, ModelInput]) -> bool:
    """Whether there are two or more, and one of them sees all columns that the others see."""
    columns = [set(find_feature_set(member.feature_set).columns) for member in members.values()]
    return len(members) >= 2 and set.union(*columns) in columns


def combine(challengers: Challengers) -> Challenger:
    """Fitted challengers as one more, without another fit.

    Raises:
        ParameterError: They cannot be combined; see ``can_combine``.
    """
    members = {name: each.architecture for name, each in challengers.items()}
    if not can_combine(members):
        raise ParameterError(
            f"{', '.join(members) or 'nothing'} cannot be combined",
            "choose two or more architectures of which one sees all columns that the others see",
        )
    columns = {name: find_feature_set(member.feature_set).columns for name, member in members.items()}
    widest = max(columns, key=lambda name: len(columns[name]))
    lookback = max(member.lookback for member in members.values())
    fitted = {
        name: FittedMember(each.fitted, members[name].lookback, np.array([*map(columns[widest].index, columns[name])]))
        for name, each in challengers.items()
    }
    ensemble = QuantileEnsemble(feature_set=members[widest].feature_set, lookback=lookback, members=members)
    return Challenger(ensemble, FittedEnsemble(fitted, lookback, len(columns[widest])))


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
        import onnx

        graphs, selections, constants = {}, [], {}
        for name, member in self.members.items():
            graph = onnx.load_from_string(member.fitted.to_onnx())
            graphs[name] = onnx.compose.add_prefix(graph, f"{name}_").graph
            constants[f"rows_of_{name}"] = np.arange(self.lookback - member.lookback, self.lookback)
            constants[f"columns_of_{name}"] = member.columns
            selections.append(f"newest_of_{name} = Gather <axis = 1> (features, rows_of_{name})")
            selections.append(f"{name}_features = Gather <axis = 2> (newest_of_{name}, columns_of_{name})")
        means = [f"{target} = Mean ({', '.join(f'{name}_{target}' for name in graphs)})" for target in TARGETS]
        _, horizon, levels = next(iter(graphs.values())).output[0].type.tensor_type.shape.dim
        shapes = (self.lookback, self.features), (horizon.dim_value, levels.dim_value)
        model = build_onnx("ensemble", "\n".join([*selections, *means]), constants, shapes)
        mean_nodes = [model.graph.node.pop() for _ in means]
        for graph in graphs.values():
            model.graph.node.extend(graph.node)
            model.graph.initializer.extend(graph.initializer)
        model.graph.node.extend(mean_nodes)
        return bytes(model.SerializeToString())
