"""Kedro datasets of atomic files, on a disk or in a bucket.

Examples:
    Each format takes the same arguments; ``versioned`` only where a run publishes the file:

    ```yaml
    "{pair}.onnx_model":
      type: make_us_rich.datasets.files.BytesDataset
      filepath: s3://make-us-rich/06_models/{pair}/model.onnx
      credentials: storage
      versioned: true
    ```

    >>> JSONDataset(filepath="split.json").save({"rows": 8760})
    >>> OptionalJSONDataset(filepath="not/there/yet.json").load()
    {}

A dataset whose name begins with ``Optional`` loads something empty before the first run has saved it. Only the store's
own answer "no such file" counts as that: a store that does not answer is an error.
"""

import json
import pickle
from functools import cached_property
from typing import Any, BinaryIO

import pandas as pd
from kedro_datasets._typing import JSONPreview, PlotlyPreview, TablePreview

from make_us_rich.datasets.atomic import AtomicDataset
from make_us_rich.domain.manifest import sha256
from make_us_rich.klines.frame import empty_klines


class ParquetDataset(AtomicDataset):
    """A frame in a Parquet file."""

    def _encode(self, data: pd.DataFrame, file: BinaryIO) -> None:
        # Half the size of the default, which looks for equal values among prices.
        numbers = [name for name, dtype in data.dtypes.items() if dtype.kind == "f"]
        others = [name for name in data if name not in numbers]
        data.to_parquet(file, compression="zstd", use_dictionary=others, use_byte_stream_split=numbers)

    def _decode(self, file: BinaryIO) -> pd.DataFrame:
        return pd.read_parquet(file)

    def preview(self, nrows: int = 5) -> TablePreview:
        """The first rows, for Kedro-Viz; from a bucket too."""
        return TablePreview(self.load().head(nrows).to_dict(orient="split"))


class OptionalParquetDataset(ParquetDataset):
    """A table that grows run by run; a frame without rows and columns where nothing is stored yet."""

    _empty = pd.DataFrame


class OptionalKlinesDataset(ParquetDataset):
    """The stored klines; an empty kline frame where nothing is stored yet."""

    REMEDY = "delete it to fetch the candles again"
    _empty = staticmethod(empty_klines)


class JSONDataset(AtomicDataset):
    """A record in a JSON file."""

    def _encode(self, data: Any, file: BinaryIO) -> None:
        file.write(json.dumps(data).encode())

    def _decode(self, file: BinaryIO) -> Any:
        return json.load(file)

    def preview(self) -> JSONPreview:
        """The record, for Kedro-Viz."""
        return JSONPreview(json.dumps(self.load()))


class OptionalJSONDataset(JSONDataset):
    """A record of an earlier run; an empty one where nothing is stored yet."""

    _empty = dict


class Figure(dict[str, Any]):
    """Plotly's JSON of a figure; any attribute is that of Plotly's own figure, which is made when it is first used."""

    @cached_property
    def _figure(self) -> Any:
        import plotly.graph_objects as go

        return go.Figure(self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # What copies and notebooks look for.
            raise AttributeError(name)
        return getattr(self._figure, name)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        used = vars(self).get("_figure")
        return {"application/vnd.plotly.v1+json": json.loads(used.to_json()) if used else dict(self)}


class FigureDataset(JSONDataset):
    """A Plotly figure given as ``{"data": [...], "layout": {...}}``; Plotly itself takes half a second to import."""

    def _decode(self, file: BinaryIO) -> Figure:
        return Figure(super()._decode(file))

    def preview(self) -> PlotlyPreview:
        """The figure, for Kedro-Viz."""
        return PlotlyPreview(self.load())


class PickleDataset(AtomicDataset):
    """An object in a pickle. Only our own store is read: a pickle can run code."""

    def _encode(self, data: Any, file: BinaryIO) -> None:
        pickle.dump(data, file, protocol=5)  # Arrays without a copy.

    def _decode(self, file: BinaryIO) -> Any:
        return pickle.load(file)  # noqa: S301

    def preview(self) -> JSONPreview:
        """Types of the object's parts, for Kedro-Viz."""
        data = self.load()
        parts = data if isinstance(data, dict) else {type(data).__name__: data}
        return JSONPreview(json.dumps({str(name): type(value).__name__ for name, value in parts.items()}))


class TextDataset(AtomicDataset):
    """A text in UTF-8."""

    def _encode(self, data: str, file: BinaryIO) -> None:
        file.write(data.encode())

    def _decode(self, file: BinaryIO) -> str:
        return file.read().decode()


class BytesDataset(AtomicDataset):
    """Bytes, such as those of an ONNX model, which is not imported. The manifest has their checksum."""

    def _encode(self, data: bytes, file: BinaryIO) -> None:
        file.write(data)

    def _decode(self, file: BinaryIO) -> bytes:
        return file.read()

    def preview(self) -> JSONPreview:
        """Size and checksum, for Kedro-Viz."""
        with self.open() as file:
            content = file.read()
        return JSONPreview(json.dumps({"bytes": len(content), "sha256": sha256(content)}))


class OnnxSessionDataset(BytesDataset):
    """The bytes of an ONNX model, loaded as a session of ONNX Runtime."""

    def _decode(self, file: BinaryIO) -> Any:
        import onnxruntime

        return onnxruntime.InferenceSession(file.read(), providers=["CPUExecutionProvider"])
