"""The commands of ``docs/operations.md`` for compose, as they stand there."""

import re
from pathlib import Path

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()


def commands(heading: str) -> list[str]:
    """The lines for compose below a heading, without comments."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    assert blocks, heading
    lines = [line.removeprefix("$ ").split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if "docker compose" in line]
