"""The contrast with patches: by hand, against loops, and what its gradient does."""

import math

import numpy as np
import pytest
import torch

from cavmae_sync.losses.patch_contrast import PatchPooling, patch_contrastive_loss, pooled_similarity


def unit(*shape: int, seed: int) -> torch.Tensor:
    rows = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(rows, dim=-1)


def test_worked_by_hand():
    """Each frame has a patch that is its sound: similarity 1 with it, 0 with the other sound."""
    sounds = torch.eye(2)
    patches = torch.stack([torch.eye(2)[[0, 0]], torch.eye(2)[[1, 1]]])
    found = pooled_similarity(sounds, patches, pooling="max", temperature=1)
    assert torch.equal(found, torch.eye(2))
    loss = patch_contrastive_loss(sounds, patches, pooling="max", temperature=1)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-1)))


@pytest.mark.parametrize("pooling", ["max", "softmax"])
def test_equals_loops(pooling: PatchPooling):
    sounds, patches = unit(3, 5, seed=0), unit(3, 4, 5, seed=1)
    expected = np.zeros((3, 3))
    for sound in range(3):
        for frame in range(3):
            cosines = [float(sounds[sound] @ patch) for patch in patches[frame]]
            weights = np.exp(np.array(cosines) / 0.1)
            mean = float(np.dot(weights / weights.sum(), cosines))
            expected[sound, frame] = max(cosines) if pooling == "max" else mean
    found = pooled_similarity(sounds, patches, pooling=pooling, temperature=0.1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    logits = expected / 0.1
    ways = [np.log(np.exp(each).sum(axis=1)) - np.diag(each) for each in (logits, logits.T)]
    loss = patch_contrastive_loss(sounds * 7, patches * 3, pooling=pooling, temperature=0.1)
    assert loss.item() == pytest.approx(np.mean(ways), rel=1e-9)


@pytest.mark.parametrize(("pooling", "num_learning"), [("max", 1), ("softmax", 4)])
def test_patches_that_learn(pooling: PatchPooling, num_learning: int):
    """With "max" the patch that fits best, of each sound; with "softmax" all of them."""
    sound, patches = unit(1, 5, seed=0), unit(1, 4, 5, seed=1).requires_grad_()
    pooled_similarity(sound, patches, pooling=pooling, temperature=0.1).sum().backward()
    assert patches.grad is not None
    assert int(patches.grad.abs().sum(dim=-1).count_nonzero()) == num_learning


def test_half_precision_is_compared_in_float32():
    sounds, patches = unit(3, 5, seed=0).bfloat16(), unit(3, 4, 5, seed=1).bfloat16()
    loss = patch_contrastive_loss(sounds, patches, pooling="max", temperature=0.05)
    assert loss.dtype == torch.float32
