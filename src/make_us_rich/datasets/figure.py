"""A plotly figure in a JSON file."""

from typing import Any

from kedro_datasets._typing import PlotlyPreview

from make_us_rich.datasets.atomic import JSONDataset


class FigureDataset(JSONDataset):
    """A plotly figure given as ``{"data": [...], "layout": {...}}``; plotly itself is not imported.

    Examples:
        ```yaml
        btc_usdt.training_curve:
          type: make_us_rich.datasets.figure.FigureDataset
          filepath: data/08_reporting/btc_usdt/training_curve.json
          credentials: storage
        ```

        >>> FigureDataset(filepath="curve.json").save({"data": [{"y": [2, 1]}], "layout": {}})
    """

    def encode(self, data: dict[str, Any]) -> bytes:
        """JSON text of the figure.

        Raises:
            ValueError: It has no traces under ``data``.
        """
        return super().encode(_figure(data))

    def decode(self, content: bytes) -> dict[str, Any]:
        """The figure as a dictionary.

        Raises:
            ValueError: It is no figure.
        """
        return _figure(super().decode(content))

    def preview(self) -> PlotlyPreview:
        """The figure, for Kedro-Viz."""
        return PlotlyPreview(self.load())


def _figure(record: Any) -> dict[str, Any]:
    if not isinstance(record, dict) or not isinstance(record.get("data"), list):
        # One error for wrong shapes: loading takes a ValueError for a damaged file.
        raise ValueError(  # noqa: TRY004
            "a figure is a dictionary with its traces as a list under 'data'"
        )
    return record
