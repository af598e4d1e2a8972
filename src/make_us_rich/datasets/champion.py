"""The champion pointer in a JSON file."""

import json
import os
from typing import Any

from make_us_rich.datasets.atomic import JSONDataset
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.errors import ArtifactError


class ChampionPointerDataset(JSONDataset):
    """The promotions of one pair; an empty pointer where none is stored yet.

    Examples:
        ```yaml
        "{pair}.champion":
          type: make_us_rich.datasets.champion.ChampionPointerDataset
          pair: "{pair}"
          filepath: s3://make-us-rich/06_models/{pair}/champion.json
          credentials: storage
        ```

        >>> ChampionPointerDataset(pair="btc_usdt", filepath="not/there/yet.json").load().version is None
        True
    """

    def __init__(
        self,
        *,
        pair: str,
        filepath: str | os.PathLike[str],
        credentials: dict[str, Any] | None = None,
        fs_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Point to a file.

        Args:
            pair: Name such as ``btc_usdt``.
            filepath: Path, or address such as ``s3://bucket/champion.json``.
            credentials: Arguments of the filesystem that are secret.
            fs_args: Other arguments of the filesystem.
            metadata: For plugins such as Kedro-Viz.
        """
        super().__init__(filepath=filepath, credentials=credentials, fs_args=fs_args, metadata=metadata)
        self._pair = pair

    def absent(self, exc: FileNotFoundError) -> ChampionPointer:  # noqa: ARG002
        """A pointer without promotions."""
        return ChampionPointer(pair=self._pair)

    def encode(self, data: ChampionPointer) -> bytes:
        """JSON text of the pointer.

        Raises:
            ArtifactError: It is another pair's.
        """
        if data.pair != self._pair:
            raise ArtifactError(
                f"{self._pair}: refused to save the champion pointer of {data.pair}; save it as {data.pair}'s"
            )
        return super().encode(data.model_dump(mode="json"))

    def decode(self, content: bytes) -> ChampionPointer:
        """The pointer in JSON text.

        Raises:
            ArtifactError: It is damaged, or another pair's.
        """
        return ChampionPointer.read(super().decode(content), self._pair)

    def preview(self) -> Any:
        """The record, for Kedro-Viz."""
        return json.dumps(self.load().model_dump(mode="json"))

    def _describe(self) -> dict[str, Any]:
        return {"pair": self._pair, **super()._describe()}
