"""Embeddings made by hand whose WHAT, WHEN and moment accuracy are known, and a second implementation."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.metrics.moments import equal_moments
from cavmae_sync.tasks.retrieval.matches import DIRECTIONS
from cavmae_sync.tasks.retrieval.measures import Measures, Pair, measure_vectors

from .conftest import unit_rows

NUM_CLIPS, NUM_FRAMES = 60, 16


def numbers(measures: Measures) -> dict[str, float]:
    """Every measure as one number: the mean over clips and directions."""
    values = measures.clip_values()
    names = {name.partition("/")[0] for name in values}
    return {
        name: float(torch.stack([values[f"{name}/{direction}"] for direction in DIRECTIONS]).mean())
        for name in names
    }


def measured(audio_NTD: Tensor, visual_NTD: Tensor, **options) -> dict[str, float]:
    return numbers(measure_vectors(Pair(audio_NTD=audio_NTD, visual_NTD=visual_NTD), **options))


def about_the_clip(*, noise: float, seed: int) -> Tensor:
    """What a clip shows: one direction for each clip, the same at all moments but for noise."""
    clip_N1D = unit_rows(NUM_CLIPS, 1, 64)
    return F.normalize(clip_N1D + noise * unit_rows(NUM_CLIPS, NUM_FRAMES, 64, seed=seed), dim=-1)


def about_the_moment() -> Tensor:
    """When things happen: all clips have the same 16 states, each clip in an order of its own."""
    generator = torch.Generator().manual_seed(0)
    orders = torch.stack([torch.randperm(NUM_FRAMES, generator=generator) for _ in range(NUM_CLIPS)])
    return torch.eye(NUM_FRAMES)[orders]


def test_a_model_that_knows_only_what_has_what_and_no_more():
    found = measured(about_the_clip(noise=0.5, seed=1), about_the_clip(noise=0.5, seed=2))
    assert (found["both"], found["what"]) == (1, 1)
    assert found["when"] == pytest.approx(1 / NUM_CLIPS, abs=0.05)
    assert found["moment"] == pytest.approx(1 / NUM_FRAMES, abs=0.02)


def test_a_model_that_knows_only_when_has_when_and_moments_and_no_more():
    vectors = about_the_moment()
    found = measured(vectors, vectors)
    assert (found["both"], found["when"], found["moment"]) == (1, 1, 1)
    assert found["what"] <= 1 / NUM_CLIPS + 0.02, "the own clip cannot even meet the right moment by luck"


def test_a_model_that_knows_both_has_all():
    vectors = F.normalize(torch.cat([about_the_clip(noise=0.1, seed=1), about_the_moment()], dim=2), dim=2)
    assert measured(vectors, vectors) == {"both": 1, "what": 1, "when": 1, "moment": 1}


def test_a_model_that_knows_nothing_is_at_chance():
    found = measured(unit_rows(400, NUM_FRAMES, 8), unit_rows(400, NUM_FRAMES, 8, seed=1))
    for name in ("both", "what", "when"):
        assert found[name] == pytest.approx(1 / 400, abs=0.008), name
    assert found["moment"] == pytest.approx(1 / NUM_FRAMES, abs=0.01)


def test_a_model_one_frame_late_has_no_moment_and_says_which_frame():
    sounds = unit_rows(40, NUM_FRAMES, 64)
    measures = measure_vectors(Pair(audio_NTD=sounds, visual_NTD=sounds.roll(1, dims=1)))
    assert numbers(measures)["moment"] == 0
    assert numbers(measures)["both"] <= 1 / 40 + 0.03
    for direction in DIRECTIONS:
        curve = measures.moments.curve(direction)
        assert int(curve.offsets_K[curve.shares_K.argmax()]) == -1


def test_clips_that_never_change_know_nothing_of_when_and_this_is_counted():
    still = unit_rows(10, 1, 8).repeat(1, 4, 1)
    measures = measure_vectors(Pair(audio_NTD=still, visual_NTD=still))
    assert measures.num_unchanging == 2 * 10 * 4
    found = numbers(measures)
    assert (found["both"], found["what"], found["when"]) == (1, 1, 0)
    assert found["moment"] == 1 / 4, "equal moments share the answer"


def test_states_of_the_truth_make_equal_moments_hits_of_each_other():
    """A model that knows the state and nothing finer: perfect by states, and it cannot be by moments."""
    states = torch.randint(0, 4, (NUM_CLIPS, NUM_FRAMES), generator=torch.Generator().manual_seed(0))
    vectors = torch.eye(4)[states]
    measures = measure_vectors(Pair(audio_NTD=vectors, visual_NTD=vectors), hits_NTT=equal_moments(states))
    found = numbers(measures)
    assert found["state"] == 1
    assert found["moment"] == pytest.approx(float((1 / equal_moments(states).double().sum(2)).mean()))
    assert measures.chances()["state"] == pytest.approx(float(equal_moments(states).double().mean()))
    assert measures.chances()["moment"] == 1 / NUM_FRAMES


def test_one_moment_a_clip_has_no_other_moment():
    vectors = unit_rows(5, 1, 8)
    measures = measure_vectors(Pair(audio_NTD=vectors, visual_NTD=vectors))
    assert list(measures.matches) == ["both"]
    assert measures.moments is None
    assert measures.chances() == {"both": 1 / 5}


def test_all_numbers_equal_a_numpy_second_implementation():
    audio, visual = (
        unit_rows(12, 5, 6),
        F.normalize(unit_rows(12, 5, 6) + 2 * unit_rows(12, 5, 6, seed=1), dim=-1),
    )
    measures = measure_vectors(Pair(audio_NTD=audio, visual_NTD=visual), seed=3)
    values = measures.clip_values()
    sounds, frames = audio.numpy().astype(float), visual.numpy().astype(float)

    def found_first(sounds: np.ndarray, frames: np.ndarray) -> list[bool]:
        means = [[np.mean([s @ f for s, f in zip(a, v, strict=True)]) for v in frames] for a in sounds]
        return [int(np.argmax(row)) == i for i, row in enumerate(means)]

    def changes(vectors: np.ndarray) -> np.ndarray:
        left = vectors - vectors.mean(axis=1, keepdims=True)
        return left / np.linalg.norm(left, axis=2, keepdims=True)

    assert values["both/audio_to_visual"].tolist() == found_first(sounds, frames)
    assert values["both/visual_to_audio"].tolist() == found_first(frames, sounds)
    assert values["when/audio_to_visual"].tolist() == found_first(changes(sounds), changes(frames))
    for i in range(12):
        best = [int(np.argmax([s @ f for f in frames[i]])) for s in sounds[i]]
        assert values["moment/audio_to_visual"][i] == np.mean([best[t] == t for t in range(5)])
