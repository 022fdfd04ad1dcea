"""Moments: where they are, what their vectors are, and their random numbers."""

from pathlib import Path

import numpy as np
import pytest

from cavmae_sync.embedding.library import LibraryConfig
from cavmae_sync.search import LibrarySearch
from cavmae_sync.teaching import Span
from cavmae_sync.teaching.moments import Moments

from ..search.made import content_of, make_library, wander

WIDTH = 8
CONFIG = LibraryConfig(clip_seconds=2.0, num_frames=4, sampling="uniform_center", store="float32")


def moments_of(folder: Path, lengths: dict[str, int], *, config=CONFIG, silent=None, senses=("audio",)):
    contents = {
        name: (wander(length, WIDTH, seed=2 * n), wander(length, WIDTH, seed=2 * n + 1))
        for n, (name, length) in enumerate(lengths.items())
    }
    library = make_library(folder, contents, config=config, silent=silent)
    search = LibrarySearch(library)
    return Moments(search.timelines, search.held, config, senses=senses, seconds=1.5), contents


def test_a_rest_of_less_than_half_belongs_to_the_one_before(tmp_path: Path):
    """Places every 0.5 s, three to a moment. 8 are 3 + 3 + 2, 7 are 3 + 4, and 1 is one."""
    moments, _ = moments_of(tmp_path / "library", {"8.mp4": 8, "7.mp4": 7, "1.mp4": 1})
    found = {name: [] for name in ("8.mp4", "7.mp4", "1.mp4")}
    names = {content_of(name): name for name in found}
    for number in range(len(moments)):
        span = moments.span(number)
        found[names[span.content]].append((span.start_seconds, span.stop_seconds))
    assert found == {
        "8.mp4": [(0.0, 1.5), (1.5, 3.0), (3.0, 4.0)],
        "7.mp4": [(0.0, 1.5), (1.5, 3.5)],
        "1.mp4": [(0.0, 0.5)],
    }


@pytest.mark.parametrize("rule", ["uniform_center", "uniform_start"])
@pytest.mark.parametrize("senses", [("audio",), ("audio", "visual")])
def test_logits_are_those_of_the_mean_vector(tmp_path: Path, rule: str, senses):
    config = CONFIG.model_copy(update={"sampling": rule})
    moments, contents = moments_of(
        tmp_path / "library", {"a.mp4": 8, "b.mp4": 5}, config=config, senses=senses
    )
    weights_D = np.random.default_rng(0).normal(size=moments.width).astype(np.float32)
    logit_N = moments.logits(weights_D, 0.25)
    both = {content_of(name): pair for name, pair in contents.items()}
    for number in range(len(moments)):
        span = moments.span(number)
        low, high = round(span.start_seconds / 0.5), round(span.stop_seconds / 0.5)
        rows = [both[span.content][("audio", "visual").index(sense)][low:high] for sense in senses]
        mean_D = np.concatenate(rows, axis=1).astype(np.float64).mean(axis=0)
        assert logit_N[number] == pytest.approx(mean_D @ weights_D + 0.25, abs=2e-3)  # float16
        np.testing.assert_allclose(moments.feature(span), mean_D, atol=1e-3)
        np.testing.assert_allclose(moments.features(np.array([number]))[0], moments.feature(span))
        assert moments.touched(span).tolist() == [number]


def test_silent_places_are_left_out(tmp_path: Path):
    """The second clip of four places is silent: the second moment has one place left, the third none."""
    moments, contents = moments_of(tmp_path / "library", {"a.mp4": 12}, silent={"a.mp4": {1}})
    assert moments.count_N.tolist() == [3, 1, 1, 3]
    moments, _ = moments_of(tmp_path / "other", {"a.mp4": 12}, silent={"a.mp4": {1, 2}})
    assert moments.is_usable_N.tolist() == [True, True, False, False]
    assert np.isneginf(moments.logits(np.ones(WIDTH), 0.0)[2:]).all()
    assert moments.feature(moments.span(3)) is None
    np.testing.assert_allclose(moments.feature(moments.span(1)), contents["a.mp4"][0][3], atol=1e-3)


def test_a_span_touches_what_it_covers_by_half(tmp_path: Path):
    moments, _ = moments_of(tmp_path / "library", {"a.mp4": 12, "b.mp4": 6})

    def touched(start: float, stop: float, name: str = "a.mp4") -> list[int]:
        return moments.touched(
            Span(content=content_of(name), start_seconds=start, stop_seconds=stop)
        ).tolist()

    assert touched(0.0, 1.5) == [0]
    assert touched(0.0, 2.0) == [0]  # a third of the second
    assert touched(0.5, 2.5) == [0, 1]
    assert touched(1.0, 2.0) == []
    assert touched(0.0, 99.0) == [0, 1, 2, 3]
    assert touched(0.0, 1e300, "b.mp4") == [4, 5]
    assert touched(99.0, 100.0) == []
    assert touched(0.0, 9.0, "nowhere.mp4") == []


def test_draws_stay_while_the_library_grows(tmp_path: Path):
    """They are uniform, and depend on content, place and salt alone."""
    few, _ = moments_of(tmp_path / "library", {"a.mp4": 12, "b.mp4": 12})
    many, _ = moments_of(tmp_path / "more", {"c.mp4": 12, "b.mp4": 12, "a.mp4": 12})

    def drawn(moments: Moments, salt: str) -> dict[Span, float]:
        return {moments.span(n): float(draw) for n, draw in enumerate(moments.draws(salt))}

    assert drawn(few, "x").items() <= drawn(many, "x").items()
    assert not set(drawn(few, "x").values()) & set(drawn(few, "y").values())
    big, _ = moments_of(tmp_path / "big", {f"{n}.mp4": 60 for n in range(50)})
    draw_N = np.sort(big.draws("x"))
    assert len(np.unique(draw_N)) == len(draw_N) == 1000
    # Kolmogorov and Smirnov: a distance of 0.061 is exceeded in 1 of 1,000.
    assert np.abs(draw_N - (np.arange(1000) + 0.5) / 1000).max() < 0.061
