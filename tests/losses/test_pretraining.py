"""Both losses together: weights, representations, and what a weight of 0 means."""

import pytest
import torch

from cavmae_sync.losses import ContrastConfig, PretrainLosses, contrastive_loss, pretrain_losses
from cavmae_sync.model import Encoded, Mask, PretrainOutput

SEGMENTS, FRAMES = torch.randn(4, 32, 128), torch.randn(4, 3, 32, 32)
LOCAL = ContrastConfig(negatives="local")


def encoded(seed: int, *, has_global_token: bool = True) -> Encoded:
    generator = torch.Generator().manual_seed(seed)
    return Encoded(
        patch_tokens_PND=torch.randn(4, 5, 6, generator=generator),
        global_token_PD=torch.randn(4, 6, generator=generator) if has_global_token else None,
    )


def output(*, has_global_token: bool = True, ratio: float = 0.5) -> PretrainOutput:
    return PretrainOutput(
        audio=encoded(0, has_global_token=has_global_token),
        visual=encoded(1, has_global_token=has_global_token),
        audio_reconstruction_PNX=torch.randn(4, 16, 256, requires_grad=True),
        visual_reconstruction_PNX=torch.randn(4, 4, 768, requires_grad=True),
        audio_mask=Mask.from_noise(torch.rand(4, 16), ratio=ratio),
        visual_mask=Mask.from_noise(torch.rand(4, 4), ratio=ratio),
    )


def losses(**options) -> PretrainLosses:
    return pretrain_losses(options.pop("of", None) or output(), SEGMENTS, FRAMES, **options)


def test_the_total_is_the_weighted_sum():
    found = losses(contrastive_weight=0.3, reconstruction_weight=2.0)
    expected = 2 * (found.audio_reconstruction + found.visual_reconstruction) + 0.3 * found.contrastive
    torch.testing.assert_close(found.total, expected)


def test_parts_are_reported_without_their_weight():
    one = output()
    assert torch.equal(losses(of=one).contrastive, losses(of=one, contrastive_weight=0.7).contrastive)


def test_without_reconstruction_weight_nothing_need_be_hidden():
    """The official code fails here (spec 6.2, defect 8)."""
    found = losses(of=output(ratio=0.0), reconstruction_weight=0, contrastive_weight=1)
    assert torch.equal(found.total, found.contrastive)
    assert found.audio_reconstruction.item() == found.visual_reconstruction.item() == 0


def test_without_contrastive_weight_the_comparison_is_still_reported():
    found = losses(contrastive_weight=0)
    assert found.contrastive.item() > 0
    torch.testing.assert_close(found.total, found.audio_reconstruction + found.visual_reconstruction)


@pytest.mark.parametrize(
    ("representation", "kinds"),
    [("global", ["global"]), ("patch_mean", ["patch_mean"]), ("both", ["global", "patch_mean"])],
)
def test_what_is_compared(representation: str, kinds: list):
    one = output()
    found = losses(of=one, contrast=ContrastConfig(negatives="local", representation=representation))
    parts = [
        contrastive_loss(one.audio.representation(kind), one.visual.representation(kind), config=LOCAL)
        for kind in kinds
    ]
    torch.testing.assert_close(found.contrastive, sum(part.loss for part in parts) / len(parts))


def test_a_model_without_global_tokens_compares_patch_means():
    one = output(has_global_token=False)
    expected = contrastive_loss(
        one.audio.patch_tokens_PND.mean(1), one.visual.patch_tokens_PND.mean(1), config=LOCAL
    )
    assert torch.equal(losses(of=one).contrastive, expected.loss)
