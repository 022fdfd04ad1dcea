"""Contrast of sounds with the patches of frames: the loss that a localisation map can be read from.

The similarity of a sound and a frame is that of the sound with the patches that fit it: the best one, or a
mean in which patches that fit weigh more. So a frame is found by the part that sounds, and the cosine of a
sound with each patch is trained to say where that is.

P pairs, N patches that the encoder saw, D width.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

PatchPooling = Literal["max", "softmax"]


def pooled_similarity(
    sounds_PD: Tensor, patches_PND: Tensor, *, pooling: PatchPooling, temperature: float
) -> Tensor:
    """Similarity `[P, P]` of each sound (rows) with each frame (columns), by the frame's patches.

    Args:
        sounds_PD: Unit vectors of sounds.
        patches_PND: Unit vectors of the patches of frames.
        pooling: "max", the cosine of the best patch; "softmax", the mean of all cosines, weighted by their
            softmax.
        temperature: Divides cosines in that softmax.
    """
    cosines_PPN = torch.einsum("sd,pnd->spn", sounds_PD, patches_PND)
    if pooling == "max":
        return cosines_PPN.amax(dim=-1)
    return (cosines_PPN * (cosines_PPN / temperature).softmax(dim=-1)).sum(dim=-1)


def patch_contrastive_loss(
    sounds_PD: Tensor, patches_PND: Tensor, *, pooling: PatchPooling, temperature: float
) -> Tensor:
    """Cross-entropy, in nats, of matching sounds and frames by `pooled_similarity`; mean of both directions.

    All pairs of one pass are compared, other moments of a clip too: they are what shows which patch sounds.

    Args:
        sounds_PD: Embeddings of sounds, any length.
        patches_PND: Aligned tokens of the patches that the encoder saw, any length.
        pooling: How patches become one similarity.
        temperature: Divides similarities.

    Source:
        Max pooling: Harwath et al., "Jointly Discovering Visual Objects and Spoken Words" (2018); DenseAV.
    """
    with torch.autocast(device_type=sounds_PD.device.type, enabled=False):
        wide = torch.promote_types(sounds_PD.dtype, torch.float32)
        sounds_PD, patches_PND = (F.normalize(each.to(wide), dim=-1) for each in (sounds_PD, patches_PND))
        logits_PP = (
            pooled_similarity(sounds_PD, patches_PND, pooling=pooling, temperature=temperature) / temperature
        )
        own_P = torch.arange(len(logits_PP), device=logits_PP.device)
        return (F.cross_entropy(logits_PP, own_P) + F.cross_entropy(logits_PP.T, own_P)) / 2
