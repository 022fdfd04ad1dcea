"""Moment accuracy: worked by hand, by a second implementation, and at its ends."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cavmae_sync.metrics.moments import (
    equal_moments,
    moment_accuracy,
    moment_chance,
    moment_choices,
    offset_curve,
    own_moments,
)

AXES = torch.eye(4)


def random_units(*shape: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def choices_by_loops(queries: torch.Tensor, candidates: torch.Tensor) -> np.ndarray:
    """A second implementation, one number after the other."""
    num_clips, num_frames, _ = queries.shape
    shares = np.zeros((num_clips, num_frames, num_frames))
    for clip in range(num_clips):
        for t in range(num_frames):
            scores = [float(queries[clip, t] @ candidates[clip, s]) for s in range(num_frames)]
            numbers = [score for score in scores if not np.isnan(score)]
            best = [s for s in range(num_frames) if numbers and scores[s] == max(numbers)]
            for s in best:
                shares[clip, t, s] = 1 / len(best)
    return shares


def own_accuracy(queries: torch.Tensor, candidates: torch.Tensor) -> list[float]:
    choices = moment_choices(queries, candidates)
    return moment_accuracy(choices, own_moments(*choices.shape[:2])).tolist()


def test_sounds_e0_e1_e2_e2_with_frames_e0_e1_e2_e0():
    """Sounds: the first finds two equal frames, the last none of its own. Frames: e2 finds two sounds."""
    sounds, frames = AXES[[0, 1, 2, 2]][None], AXES[[0, 1, 2, 0]][None]
    assert own_accuracy(sounds, frames) == [(1 / 2 + 1 + 1 + 0) / 4]
    assert own_accuracy(frames, sounds) == [(1 + 1 + 1 / 2 + 0) / 4]


def test_moments_of_one_true_state_are_hits_of_each_other():
    sounds, frames = AXES[[0, 1, 2, 2]][None], AXES[[0, 1, 2, 0]][None]
    hits = equal_moments(torch.tensor([[5, 1, 7, 7]]))
    choices = moment_choices(frames, sounds)
    assert moment_accuracy(choices, hits).tolist() == [(1 + 1 + 1 + 0) / 4]
    assert moment_chance(hits).tolist() == [(1 + 1 + 2 + 2) / 16]
    everything = equal_moments(torch.zeros(1, 4, dtype=torch.int64))
    assert moment_accuracy(choices, everything).tolist() == moment_chance(everything).tolist() == [1.0]


def test_ends_perfect_and_all_equal():
    sounds = random_units(3, 16, 8)
    assert own_accuracy(sounds, sounds) == [1.0] * 3
    same = sounds[:, :1].repeat(1, 16, 1)
    assert own_accuracy(same, same) == pytest.approx([1 / 16] * 3)
    assert moment_chance(own_moments(3, 16)).tolist() == [1 / 16] * 3


@pytest.mark.parametrize("num_frames", [3, 10, 16])
def test_equal_candidates_tie_at_every_place_and_width(num_frames: int):
    """A matrix product of ten rows rounds the last two otherwise."""
    for width in (3, 100, 768):
        vectors = random_units(20, num_frames, width)
        twins = vectors[:, torch.arange(num_frames) % 2]
        same = (torch.arange(num_frames)[:, None] - torch.arange(num_frames)) % 2 == 0
        choices = moment_choices(twins, twins)
        expected = same.double() / same.sum(dim=1, keepdim=True)
        torch.testing.assert_close(choices, expected.expand_as(choices))


def test_guessing_is_at_chance_with_and_without_states():
    sounds, frames = random_units(3000, 16, 8), random_units(3000, 16, 8, seed=1)
    states = torch.randint(0, 4, (3000, 16), generator=torch.Generator().manual_seed(2))
    choices = moment_choices(sounds, frames)
    for hits in (own_moments(3000, 16), equal_moments(states)):
        expected = moment_chance(hits).mean()
        torch.testing.assert_close(moment_accuracy(choices, hits).mean(), expected, atol=0.006, rtol=0)


def test_choices_equal_a_second_implementation_with_ties_and_broken_rows():
    sounds = AXES[torch.randint(0, 3, (6, 5), generator=torch.Generator().manual_seed(0))]
    frames = AXES[torch.randint(0, 3, (6, 5), generator=torch.Generator().manual_seed(1))].clone()
    frames[0, 2] = torch.nan
    frames[1] = torch.nan
    for queries, candidates in ((sounds, frames), (frames, sounds)):
        found = moment_choices(queries, candidates)
        np.testing.assert_allclose(found, choices_by_loops(queries, candidates), atol=1e-6)
    assert moment_choices(sounds, frames)[1].sum() == 0, "no score is a number, so nothing is chosen"


def test_accuracy_and_curve_equal_loops_over_choices():
    choices = moment_choices(random_units(4, 5, 3), random_units(4, 5, 3, seed=1))
    hits = equal_moments(torch.randint(0, 2, (4, 5), generator=torch.Generator().manual_seed(0)))
    curve = offset_curve(choices, queries_are_sounds=False)
    for clip in range(4):
        right = sum(float(choices[clip, t, s]) for t in range(5) for s in range(5) if hits[clip, t, s])
        assert moment_accuracy(choices, hits)[clip] == pytest.approx(right / 5)
    for d, share in zip(curve.offsets_K.tolist(), curve.shares_K.tolist(), strict=True):
        places = [(t, t + d) for t in range(5) if 0 <= t + d < 5]
        shares = [float(choices[clip, t, s]) for clip in range(4) for t, s in places]
        assert share == pytest.approx(sum(shares) / len(shares)), d


def test_a_model_one_frame_late_has_its_peak_at_one_frame_in_both_directions():
    """Each frame fits the sound of the frame before it: d = sound minus frame = -1."""
    sounds = random_units(10, 8, 16)
    frames = sounds.roll(1, dims=1)
    for queries, candidates, queries_are_sounds in ((sounds, frames, True), (frames, sounds, False)):
        curve = offset_curve(moment_choices(queries, candidates), queries_are_sounds=queries_are_sounds)
        best = curve.offsets_K[curve.shares_K.argmax()]
        # The first frame goes round to the last sound: there the share is 1 as well, of one moment a clip.
        assert {int(d) for d in curve.offsets_K[curve.shares_K == 1]} == {-1, 7}
        assert int(best) == -1
        assert curve.shares_K[curve.offsets_K == 0] == 0


def test_the_curve_of_guessing_is_flat():
    curve = offset_curve(
        moment_choices(random_units(5000, 8, 8), random_units(5000, 8, 8, seed=1)), queries_are_sounds=True
    )
    torch.testing.assert_close(curve.shares_K, torch.full_like(curve.shares_K, 1 / 8), atol=0.02, rtol=0)


def test_other_numbers_of_moments_are_refused():
    with pytest.raises(ValueError, match="as many moments of one modality as of the other"):
        moment_choices(torch.ones(1, 2, 3), torch.ones(1, 4, 3))
