"""Colours that everybody can read and distinguish."""

from collections.abc import Iterable
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from interface.charts.style import DARK, LIGHT, Palette

# Machado, Oliveira and Fernandes 2009, "A Physiologically-based Model for Simulation of Color Vision Deficiency",
# severity 1.0, on linear RGB.
EYES: dict[str, list[list[float]]] = {
    "everybody": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])


def linear(colour: str) -> Any:
    """IEC 61966-2-1, the inverse of sRGB's gamma."""
    encoded = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def lab(rgb: Any) -> Any:
    """CIE 1976 L*a*b*."""
    xyz = TO_XYZ @ np.clip(rgb, 0, 1) / WHITE
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def min_contrast(colours: Iterable[str], background: str) -> float:
    """WCAG 2, 1 to 21."""
    pairs = [sorted(TO_XYZ[1] @ linear(each) for each in (colour, background)) for colour in colours]
    return min(float((high + 0.05) / (low + 0.05)) for low, high in pairs)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_have_the_contrast_that_wcag_asks_for_and_differ_for_every_eye(colours: Palette) -> None:
    assert min_contrast((colours.ink, colours.muted), colours.background) >= 4.5
    assert min_contrast((*colours.series, colours.baseline), colours.background) >= 3
    for eyes in EYES.values():
        seen = [lab(np.array(eyes) @ linear(colour)) for colour in colours.series]
        # 2.3 is what an eye just notices; thin lines need far more.
        assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) >= 20
