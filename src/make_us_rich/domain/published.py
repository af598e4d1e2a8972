"""A published model as it lies in the store."""

from dataclasses import dataclass

from make_us_rich.domain.manifest import Manifest


@dataclass(frozen=True)
class Published:
    """One version.

    Attributes:
        manifest: What it is.
        onnx_model: Its serialised graph, with the manifest's checksum.
    """

    manifest: Manifest
    onnx_model: bytes
