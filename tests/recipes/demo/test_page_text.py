"""What the page says about its pictures follows from the numbers."""

import pytest
import torch

from cavmae_sync.recipes.demo.page_text import diagonal_text, gallery_text

AXES_NTD = torch.eye(4).expand(3, 4, 4)


def test_a_clear_diagonal_is_called_one():
    text = diagonal_text(AXES_NTD, AXES_NTD)
    assert text.startswith("Here it is: its mean is 1.000, and at most 0.000 with the sound shifted")
    assert "4 of 4 sounds fit their own frame best." in text
    assert text.endswith("In all test clips together 100 % of the sounds do; guessing gives 25 %.")


def test_a_faint_diagonal_is_called_faint():
    """The first sound fits its frame best; the other three are equal and share one answer in three each."""
    shared = torch.tensor([0.0, 0.0, 0.0, 1.0])
    sounds = torch.stack([AXES_NTD[0, 0], shared, shared, shared])[None]
    frames = torch.stack([AXES_NTD[0, 0], shared, shared, shared])[None]
    text = diagonal_text(sounds, frames)
    assert text.startswith("Here it is faint: its mean is 1.000, and at most 0.500")
    assert "but only 2 of 4 sounds fit their own frame best." in text


def test_a_diagonal_that_is_not_there_is_not_promised():
    """Every sound fits the frame after it."""
    text = diagonal_text(AXES_NTD, AXES_NTD.roll(1, dims=1))
    assert "Here it is not: its mean is 0.000, but 1.000 with the sound shifted by 1 frames." in text
    assert "0 % of the sounds do; guessing gives 25 %" in text


def test_one_frame_a_clip_has_no_diagonal():
    assert "no other moment" in diagonal_text(AXES_NTD[:, :1], AXES_NTD[:, :1])


@pytest.mark.parametrize(
    ("own", "says"), [(3.0, "can be seen"), (1.0, "too little to see it"), (0.0, "too little to see it")]
)
def test_the_diagonal_of_the_gallery_is_promised_only_where_it_stands_out(own: float, says: str):
    """Other pairs have mean 0 and deviation 1."""
    others = torch.tensor([[0.0, 1.0, -1.0], [1.0, 0.0, -1.0], [1.0, -1.0, 0.0]])
    deviation = others[~torch.eye(3, dtype=torch.bool)].std()
    assert says in gallery_text(others / deviation + own * torch.eye(3))
