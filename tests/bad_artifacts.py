"""Artifacts as they must never be served: damaged, of another model, made to hurt."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

from make_us_rich.domain.checksums import sha256
from make_us_rich.domain.onnx_contract import INPUT

KINDS = ("truncated", "empty", "text", "zip bomb", "pickle", "other inputs", "other bytes")
"""Each with a checksum that is right, and with the one of before."""


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return Path.write_text, (self.path, "executed")


def spoil(project: Path, version: str, kind: str, marker: Path, *, signed: bool) -> None:
    """Put a bad graph in the place of a version's; signed, the manifest has its checksum."""
    models = project / "data/06_models/btc_usdt"
    graph, manifest = (models / name / version / name for name in ("model.onnx", "manifest.json"))
    bad = _MADE[kind](graph.read_bytes(), marker)
    graph.write_bytes(bad)
    if signed:
        record = json.loads(manifest.read_text())
        record["checksums"]["onnx_model"] = sha256(bad)
        manifest.write_text(json.dumps(record))


def _zip_bomb(_good: bytes, _marker: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("model.onnx", b"\0" * 50_000_000)
    return buffer.getvalue()


_MADE: dict[str, Callable[[bytes, Path], bytes]] = {
    "truncated": lambda good, _: good[: len(good) // 2],
    "empty": lambda _, __: b"",
    "text": lambda _, __: b"no model",
    "zip bomb": _zip_bomb,
    "pickle": lambda _, marker: pickle.dumps(Bomb(marker)),
    "other inputs": lambda good, _: good.replace(INPUT.encode(), INPUT[::-1].encode()),
    "other bytes": lambda good, _: bytes(byte ^ 0xFF for byte in good),
}
