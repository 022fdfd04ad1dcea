"""Libraries of made-up vectors in which some moments have something in common."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.embedding.library import Library

from ..search.made import content_of, make_library, unit, wander

__all__ = ["content_of", "made_library", "planted"]

WIDTH = 16


def planted(
    folder: Path, *, num_files: int, places: int, share: float, seed: int, pull: float = 3.0
) -> tuple[Library, dict[str, NDArray[np.bool_]]]:
    """A library in which some moments of three places have a direction in common, and which these are.

    Returns:
        The library, and for each content the truth of its moments.
    """
    direction = np.random.default_rng(99).normal(size=WIDTH)
    contents, truth = {}, {}
    for number in range(num_files):
        generator = np.random.default_rng([seed, number])
        is_match = generator.random(places // 3) < share
        rows = generator.normal(size=(2, places, WIDTH)) + generator.normal(size=(2, 1, WIDTH))
        rows += pull * direction * np.repeat(is_match, 3)[:, None]
        contents[f"{number}.mp4"] = (unit(rows[0]), unit(rows[1]))
        truth[content_of(f"{number}.mp4")] = is_match
    return make_library(folder, contents), truth


def made_library(folder: Path, *, num_files: int = 6, silent: dict[str, set[int]] | None = None) -> Library:
    contents = {
        f"{n}.mp4": (wander(8, WIDTH, seed=2 * n), wander(8, WIDTH, seed=2 * n + 1)) for n in range(num_files)
    }
    return make_library(folder, contents, silent=silent)
