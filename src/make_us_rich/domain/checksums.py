"""Checksums: how an artifact is recognised."""

import hashlib

from make_us_rich.domain.errors import ArtifactError


def sha256(data: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def verify(data: bytes, checksum: str, name: str) -> None:
    """Compare bytes with the checksum that they should have.

    Raises:
        ArtifactError: They differ.
    """
    if sha256(data) != checksum:
        raise ArtifactError(f"{name}: its checksum is not the one in its manifest; train the pair again or roll back")
