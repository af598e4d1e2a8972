"""One pair's champion as it is served."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kedro.io import DataCatalog

from make_us_rich.catalog import load_version
from make_us_rich.domain.champion import ChampionPointer, Promotion
from make_us_rich.domain.manifest import Manifest
from make_us_rich.inference.champion import Champion
from serving.store.records import load_card


@dataclass(frozen=True)
class Served:
    """A champion, checked and ready to run.

    Attributes:
        champion: Graph, manifest and widths.
        card: The model card; None where the version has none.
        promotions: The pair's champions so far, oldest first.
        loaded_at: UTC.
    """

    champion: Champion
    card: dict[str, Any] | None
    promotions: tuple[Promotion, ...]
    loaded_at: datetime

    @property
    def manifest(self) -> Manifest:
        """What the model is."""
        return self.champion.manifest

    @property
    def version(self) -> str:
        """Its version."""
        return self.manifest.version


def load_served(catalog: DataCatalog, pointer: ChampionPointer, version: str, now: datetime) -> Served:
    """Read one version from the store and check it.

    Raises:
        ArtifactError: One of its artifacts is missing or damaged.
        StorageError: The store failed.
    """
    champion = load_version(catalog, pointer.pair, version)
    return Served(champion, load_card(catalog, pointer.pair, version), pointer.promotions, now)
