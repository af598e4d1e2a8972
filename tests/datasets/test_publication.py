"""A version that is made without training is whole or absent, like every other."""

from pathlib import Path

import pytest

from make_us_rich.catalog import load_version, open_catalog
from make_us_rich.datasets import publication
from make_us_rich.datasets.publication import PublicationDataset
from make_us_rich.domain.publication import Publication
from make_us_rich.domain.published import Published
from synthetic import VERSION, lay_out, published

MODELS = "data/06_models/btc_usdt"


def made() -> Publication:
    manifest, graph = published()
    return Publication(Published(manifest, graph, graph), {"pair": "btc_usdt"}, "# btc_usdt\n")


@pytest.fixture
def dataset(tmp_path: Path) -> PublicationDataset:
    lay_out(tmp_path)
    return PublicationDataset(filepath=tmp_path / MODELS)


def test_what_is_saved_can_be_served(dataset: PublicationDataset, tmp_path: Path) -> None:
    dataset.save((made(),))

    assert dataset.load() == (VERSION,)
    served = load_version(open_catalog("base", tmp_path), "btc_usdt", VERSION)
    assert served.manifest == made().published.manifest
    assert (tmp_path / MODELS / "card.md" / VERSION / "card.md").read_text() == "# btc_usdt\n"


def test_nothing_to_publish_writes_nothing(dataset: PublicationDataset, tmp_path: Path) -> None:
    dataset.save(())

    assert dataset.load() == ()
    assert not (tmp_path / MODELS).exists()


@pytest.mark.parametrize("step", range(5))
def test_a_save_that_ends_half_way_leaves_no_version(
    dataset: PublicationDataset, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    steps = 0

    def dying(kind: type) -> type:
        class Dying(kind):
            def save(self, data: object) -> None:
                nonlocal steps
                if steps == step:
                    raise Killed
                steps += 1
                super().save(data)

        return Dying

    for name in ("OnnxDataset", "JSONDataset", "TextDataset"):
        monkeypatch.setattr(publication, name, dying(getattr(publication, name)))
    with pytest.raises(Killed):
        dataset.save((made(),))

    assert dataset.load() == ()
