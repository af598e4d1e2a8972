"""A published model as it lies in the store."""

from dataclasses import dataclass

from make_us_rich.domain.manifest import Manifest


@dataclass(frozen=True)
class Published:
    """One version.

    Attributes:
        manifest: What it is.
        onnx_model: Its serialised graph, with the manifest's checksum.
        baseline_onnx: The graph of the baseline beside it, likewise; None where it has none.
    """

    manifest: Manifest
    onnx_model: bytes
    baseline_onnx: bytes | None = None
