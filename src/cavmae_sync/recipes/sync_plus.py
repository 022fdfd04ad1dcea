"""Recipes beyond the paper: each part by itself on top of `sync_base`, all together, and TG-DP's.

A part is a few words of configuration. `sync_base_with_PART` is the published recipe with that part alone;
`sync_plus_base` has those that gave most when they were screened, with one seed each (docs/log.md); together
they were measured with ten (docs/results-sync-plus.md).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cavmae_sync.training import PretrainConfig

#: Six epochs of four moments are as many pairs as 24 of one.
_MOMENTS = ("loop.moments_per_clip=4", "loop.num_epochs=6")
_WITHIN = (*_MOMENTS, "losses.contrast.within_clip_weight=0.5")
_BOTH = ("losses.contrast.direction=both",)
_ALL_SEEN = ("masking.contrastive_mask_ratio=0", "losses.reconstruct_every=8")

#: Words of each part.
SYNC_PLUS_PARTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        # A picture finds its sound, and a sound its picture.
        "both_directions": _BOTH,
        # Four moments of a clip in a step: the other three are candidates that differ in time alone.
        "moments": _MOMENTS,
        # And a second comparison among the moments of a clip.
        "within_clip": _WITHIN,
        # The same, but the first comparison is among clips alone.
        "moments_apart": (*_WITHIN, "losses.contrast.same_clip=left_out"),
        # The contrast sees all patches, in a pass of its own. One of eight pairs is reconstructed, so that
        # this costs little.
        "all_seen": _ALL_SEEN,
        # These two: `sync_plus_base` without its moments.
        "all_seen_both_directions": (*_ALL_SEEN, *_BOTH),
        # The same with half of the patches hidden.
        "half_seen": ("masking.contrastive_mask_ratio=0.5", "losses.reconstruct_every=8"),
        # TG-DP's second pass: half hidden, and every pair is reconstructed.
        "contrast_pass": ("masking.contrastive_mask_ratio=0.5",),
        "learned_temperature": ("losses.contrast.learns_temperature=true",),
        # The cosine of a sound with each patch, which the paper's map is made of, is trained.
        "patch_contrast": ("losses.patch_contrastive_weight=0.05", "losses.patch_pooling=softmax"),
        "average": ("optim.ema_decay=0.998",),
        "registers_in_joint": ("model.registers_in_joint=true",),
    }
)

#: What TG-DP changes in `sync_base`.
TG_DP_WORDS: Final = (
    "masking.contrastive_mask_ratio=0.5",
    "losses.contrast.direction=both",
    "losses.contrast.negatives=global",
)

#: Parts of `sync_plus_base`.
_TOGETHER: Final = ("both_directions", "all_seen", "within_clip")


def sync_base_with(part: str, base: PretrainConfig) -> PretrainConfig:
    """The recipe `sync_base` with one part of `SYNC_PLUS_PARTS`.

    Args:
        part: Name of the part.
        base: The recipe `sync_base`.
    """
    return _with(base, f"sync_base_with_{part}", SYNC_PLUS_PARTS[part])


def sync_plus_base(base: PretrainConfig) -> PretrainConfig:
    """The recipe `sync_base` with the parts that gave most, together.

    Args:
        base: The recipe `sync_base`.
    """
    words = tuple(word for part in _TOGETHER for word in SYNC_PLUS_PARTS[part])
    return _with(base, "sync_plus_base", words)


def tg_dp_base(base: PretrainConfig) -> PretrainConfig:
    """TG-DP (arXiv 2604.08147) as far as its code says it: two passes, both directions, gathered batches.

    Reconstruction hides 0.75 of the patches, the contrast half of them in a pass of its own. What is not
    here: its teacher, which ranks patches by their attention to the global token and so chooses what the
    contrast sees (training code not released), and its training list of 1.39 million pairs.

    Args:
        base: The recipe `sync_base`.
    """
    return _with(base, "tg_dp_base", TG_DP_WORDS)


def _with(base: PretrainConfig, name: str, words: tuple[str, ...]) -> PretrainConfig:
    return base.with_overrides(words).model_copy(update={"name": name})
