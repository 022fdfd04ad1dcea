"""Whether a clip's diagonal stands out: worked by hand, and at its ends."""

import pytest
import torch
from torch.nn import functional as F

from cavmae_sync.metrics.synchrony import has_diagonal, shift_means


def test_shifts_worked_by_hand():
    """Sounds e0, e1; frames e0, e0: unshifted one of two fits, shifted by one the other does."""
    axes = torch.eye(2)
    sounds, frames = axes[None], axes[[0, 0]][None]
    assert shift_means(sounds, frames).tolist() == [[0.5, 0.5]]
    assert has_diagonal(shift_means(sounds, frames)).tolist() == [False], "an equal shift counts against it"
    assert shift_means(sounds, sounds).tolist() == [[1.0, 0.0]]
    assert has_diagonal(shift_means(sounds, sounds)).tolist() == [True]


def test_a_column_is_the_mean_of_a_wrapped_diagonal():
    sounds, frames = F.normalize(torch.randn(2, 3, 5, 8, generator=torch.Generator().manual_seed(0)), dim=-1)
    found = shift_means(sounds, frames)
    for clip in range(3):
        cosines = sounds[clip] @ frames[clip].T
        for shift in range(5):
            expected = sum(cosines[t, (t + shift) % 5] for t in range(5)) / 5
            assert found[clip, shift] == pytest.approx(float(expected), abs=1e-6)


def test_guessing_finds_one_in_as_many_as_there_are_frames():
    sounds, frames = F.normalize(
        torch.randn(2, 4000, 16, 4, generator=torch.Generator().manual_seed(0)), dim=-1
    )
    assert float(has_diagonal(shift_means(sounds, frames)).float().mean()) == pytest.approx(1 / 16, abs=0.012)


def test_one_frame_has_no_other_time():
    assert has_diagonal(torch.ones(2, 1)).tolist() == [False, False]
