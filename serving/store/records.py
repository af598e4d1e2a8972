"""What the catalog holds beside the champions, read with errors in words."""

from typing import Any

from kedro.io import DataCatalog, DatasetError

from make_us_rich.domain.errors import ArtifactError, StorageError
from make_us_rich.domain.widths import Widths
from make_us_rich.storage import own_error


def load_widths(catalog: DataCatalog, pair: str, version: str) -> Widths | None:
    """The pair's widths, if they are those of this version.

    Raises:
        ArtifactError: They are damaged.
        StorageError: The store failed.
    """
    widths = Widths.read(_load(catalog, f"{pair}.widths"), f"{pair} {version}")
    return widths if widths and widths.version == version else None


def load_card(catalog: DataCatalog, pair: str, version: str) -> dict[str, Any] | None:
    """The model card of a version; None where it has none, or a damaged one: a model is served without it, too.

    Raises:
        StorageError: The store failed.
    """
    try:
        card = _load(catalog, f"{pair}.card", version)
    except ArtifactError:
        return None
    return card if isinstance(card, dict) else None


def load_record(catalog: DataCatalog, name: str) -> dict[str, Any]:
    """A record that may not be there yet; an empty one then.

    Raises:
        ArtifactError: It is damaged.
        StorageError: The store failed.
    """
    record: dict[str, Any] = _load(catalog, name)
    return record


def _load(catalog: DataCatalog, name: str, version: str | None = None) -> Any:
    try:
        return catalog.load(name, version=version)
    except DatasetError as exc:
        own = own_error(exc)
        if isinstance(own, StorageError):
            raise StorageError(str(own)) from exc
        raise ArtifactError(str(own or f"{name}: it cannot be read; run the pair again")) from exc
