"""The commands of the documentation for compose, as they stand there."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "operations.md").read_text()


def commands(heading: str, page: str = PAGE) -> list[str]:
    """The lines for compose below a heading, without comments."""
    section = page.replace("\\\n", " ").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    assert blocks, heading
    lines = [line.removeprefix("$ ").split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if "docker compose" in line]
