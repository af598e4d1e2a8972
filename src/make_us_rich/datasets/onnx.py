"""An ONNX model in a file, as bytes."""

import os
from copy import deepcopy
from pathlib import PurePosixPath
from typing import Any

import fsspec
from kedro.io.core import AbstractVersionedDataset, DatasetError, Version, get_protocol_and_path

from make_us_rich.datasets.atomic import WholeFile


class OnnxDataset(WholeFile, AbstractVersionedDataset[bytes, bytes]):
    """The bytes of an ONNX model; neither loading nor saving imports onnx.

    Examples:
        ```yaml
        btc_usdt.onnx_model:
          type: make_us_rich.datasets.onnx.OnnxDataset
          filepath: s3://make-us-rich/06_models/btc_usdt/model.onnx
          versioned: true
          credentials: storage
        ```

        >>> OnnxDataset(filepath="model.onnx").save(model.SerializeToString())
    """

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        version: Version | None = None,
        credentials: dict[str, Any] | None = None,
        fs_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Point to a file.

        Args:
            filepath: Path, or address such as ``s3://bucket/model.onnx``.
            version: The versions to load and to save; None when the file is not versioned.
            credentials: Arguments of the filesystem that are secret.
            fs_args: Other arguments of the filesystem.
            metadata: For plugins such as Kedro-Viz.
        """
        self._protocol, path = get_protocol_and_path(filepath, version)
        self._fs = fsspec.filesystem(self._protocol, **deepcopy(credentials or {}), **deepcopy(fs_args or {}))
        self.metadata = metadata
        super().__init__(
            filepath=PurePosixPath(path),
            version=version,
            exists_function=self._fs.exists,
            glob_function=self._fs.glob,
        )

    def encode(self, data: bytes) -> bytes:
        """The model itself.

        Raises:
            DatasetError: It is no bytes, or empty.
        """
        if not isinstance(data, bytes) or not data:
            raise DatasetError(f"{self}: not a model but {type(data).__name__}; save its serialised bytes")
        return data

    def decode(self, content: bytes) -> bytes:
        """The model itself.

        Raises:
            ValueError: The file is empty.
        """
        if not content:
            raise ValueError("it is empty")
        return content

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "protocol": self._protocol, "version": self._version}

    def _exists(self) -> bool:
        return bool(self._fs.exists(self._path(self._get_load_path())))

    def _release(self) -> None:
        super()._release()
        self._fs.invalidate_cache(self._path(self._filepath))
