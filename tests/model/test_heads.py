"""Heads: features of frames in, logits of classes out."""

import pytest
import torch
from torch.nn import functional as F

from cavmae_sync.model.heads import HeadConfig, LinearHead, TransformerHead, make_head


def fresh(seed: int = 0, **shape) -> TransformerHead | LinearHead:
    return make_head(HeadConfig(**shape), generator=torch.Generator().manual_seed(seed))


def count(head: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in head.parameters())


@pytest.mark.parametrize(
    ("width", "num_classes", "official"),
    [(1536, 527, 57_502_223), (1536, 309, 57_167_157), (768, 527, 14_595_599)],
    ids=["audioset", "vggsound", "audioset, one modality"],
)
def test_published_sizes(width, num_classes, official):
    # Spec 2.10. The official count includes the two pairs of norms per block that no pass uses:
    # 2 blocks x 2 pairs x 2 norms x (weight + bias).
    unused = 2 * 2 * 2 * 2 * width
    assert count(fresh(width=width, num_classes=num_classes)) == official - unused


def test_linear_is_logistic_regression_on_the_mean_over_time():
    head = fresh(kind="linear", width=8, num_classes=3)
    features_BTD = torch.randn(5, 4, 8)
    by_hand = features_BTD.mean(dim=1) @ head.classify.weight.T + head.classify.bias
    torch.testing.assert_close(head(features_BTD), by_hand)
    assert count(head) == 8 * 3 + 3


def test_transformer_follows_the_formula():
    """An independent implementation of section 2.1 and 2.10 for one clip."""
    head = fresh(width=8, num_classes=3, heads=2)
    frames_TD = torch.randn(4, 8)
    row = torch.cat([head.class_token[None], frames_TD])
    for block in head.blocks:
        normed = F.layer_norm(row, (8,), block.norm1.weight, block.norm1.bias)
        query, key, value = (normed @ block.attn.qkv.weight.T + block.attn.qkv.bias).split(8, dim=1)
        mixed = []
        for part in (slice(0, 4), slice(4, 8)):
            weights = (query[:, part] @ key[:, part].T / 2).softmax(dim=1)
            mixed.append(weights @ value[:, part])
        row = row + block.attn.proj(torch.cat(mixed, dim=1))
        normed = F.layer_norm(row, (8,), block.norm2.weight, block.norm2.bias)
        row = row + block.mlp.fc2(F.gelu(block.mlp.fc1(normed)))
    by_hand = head.classify(F.layer_norm(row[0], (8,)))
    torch.testing.assert_close(head(frames_TD[None])[0], by_hand)


@pytest.mark.parametrize("kind", ["transformer", "linear"])
def test_any_number_of_frames_in_any_order(kind):
    """No positions over frames: the order does not matter, and neither does their number."""
    head = fresh(kind=kind, width=12, num_classes=2)
    features_BTD = torch.randn(2, 5, 12)
    torch.testing.assert_close(head(features_BTD), head(features_BTD.flip(1)))
    assert head(features_BTD[:, :1]).shape == (2, 2)


@pytest.mark.parametrize(("width", "heads"), [(1536, 12), (768, 12), (256, 8), (128, 8), (22, 11), (13, 1)])
def test_heads_are_twelve_or_the_most_that_divide_the_width(width, heads):
    assert HeadConfig(width=width, num_classes=2).num_heads == heads


def test_refuses_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="multiple of heads=5"):
        HeadConfig(width=8, num_classes=2, heads=5)


def test_fresh_weights_follow_from_the_generator():
    shape = {"width": 8, "num_classes": 3}
    first, again, other = fresh(**shape), fresh(**shape), fresh(seed=1, **shape)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.class_token, other.class_token)
