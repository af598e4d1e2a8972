"""What is published, and the way back to an earlier version."""

from datetime import UTC, datetime

from kedro.io import DataCatalog

from make_us_rich.catalog import load_champion, load_pointer, load_version, open_catalog, open_config
from make_us_rich.config import find_project
from make_us_rich.domain.errors import ArtifactError, UnknownPairError
from make_us_rich.domain.manifest import Manifest
from make_us_rich.domain.pair import Pair
from make_us_rich.locks import pair_lock

COLUMNS = ("pair", "candles", "from", "to (UTC)", "architecture", "RMSE 1 h", "baseline's", "CRPS skill", "version")


def tabulate(env: str | None = None) -> str:
    """A table of the champions of all configured pairs, and where to look next.

    Raises:
        ArtifactError: A champion is damaged.
        StorageError: The store failed.
    """
    catalog = open_catalog(env)
    names: list[str] = open_config(env)["parameters"]["pairs"]
    rows = [COLUMNS, *(_row(catalog, name) for name in names)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], "", *_where_next(env)])


def _row(catalog: DataCatalog, name: str) -> tuple[str, ...]:
    if load_pointer(catalog, name).version is None:
        return (name, *["-"] * (len(COLUMNS) - 2), "none published")
    return _cells(load_champion(catalog, name).manifest)


def _cells(manifest: Manifest) -> tuple[str, ...]:
    metrics, data = manifest.metrics, manifest.data
    return (
        manifest.pair,
        f"{data.rows:,}",
        f"{data.start:%Y-%m-%d}",
        f"{data.end:%Y-%m-%d %H:%M}",
        manifest.architecture,
        f"{metrics['rmse_1h']:.5g}",
        f"{metrics['baseline_rmse_1h']:.5g}",
        f"{100 * metrics['crps_skill_mean']:+.1f} %",
        manifest.version,
    )


def _where_next(env: str | None) -> list[str]:
    option = f" --env={env}" if env else ""
    return [
        f"The flow and its data:  kedro viz run{option}",
        f"Every run, its curves:  kedro mlflow ui{option}",
        f"Serve the one before:   kedro rollback <pair>{option}",
    ]


def roll_back(name: str, version: str | None = None, env: str | None = None) -> str:
    """Make an earlier version the champion again, once it has been loaded and checked.

    Args:
        name: Pair such as ``btc_usdt``.
        version: The version to serve; the one that was served before the present one unless given.
        env: Environment.

    Returns:
        What was done, in words.

    Raises:
        ArtifactError: There is no such version, or it is damaged; what is served stays.
        LockedError: A run holds the pair.
        UnknownPairError: The pair is not configured.
    """
    pair, config = Pair.parse(name), open_config(env)
    if pair.name not in config["parameters"]["pairs"]:
        raise UnknownPairError(f"{name}: not among the configured pairs: {', '.join(config['parameters']['pairs'])}")
    root = config["globals"]["root"]
    with pair_lock(root if "://" in root else str(find_project() / root), name, config["credentials"]["storage"]):
        return _point_back(open_catalog(env), name, version)


def _point_back(catalog: DataCatalog, name: str, version: str | None) -> str:
    pointer = load_pointer(catalog, name)
    earlier = [promotion.version for promotion in pointer.promotions if promotion.version != pointer.version]
    target = version or (earlier[-1] if earlier else None)
    if target is None:
        raise ArtifactError(f"{name}: there is no earlier champion to go back to; name a version with --to")
    load_version(catalog, name, target)
    reason = f"rolled back from {pointer.version}"
    catalog.save(f"{name}.champion", pointer.promote(target, datetime.now(UTC), reason))
    return f"{name}: now serving {target}, {reason}"
