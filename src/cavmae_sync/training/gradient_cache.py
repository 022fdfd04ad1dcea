"""Contrast over a whole batch in the memory of one part: embeddings first, gradients afterwards.

A step of several accumulated parts passes each part twice. The first pass, without gradients, gives the
embeddings of all parts; their comparison gives the loss of the undivided batch and what it asks of each
embedding. The second pass, part by part and with gradients, hands that on to the weights together with the
reconstruction loss. Both passes see the same inputs and masks, and nothing in the model is random, so the sum
of the gradients is that of the undivided batch, to rounding.

The first pass is that of the encoders and the aligned pass of the joint layer, without decoder: 0.45 of a
forward pass of ViT-B by operations, 0.15 of a step.

R kinds of embedding, S the two senses, P pairs of this process, K pairs of a part, D width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cavmae_sync.losses import Contrast


@dataclass(frozen=True, kw_only=True, slots=True)
class PartContrast:
    """The comparison of a whole batch, as one of its parts sees it.

    Attributes:
        contrast: Loss and accuracy of the whole batch, without gradients.
        gradient_RSKD: What the loss asks of the embeddings of this part.
        num_parts: Parts of the batch, over whose losses a step takes the mean.
    """

    contrast: Contrast
    gradient_RSKD: Tensor
    num_parts: int

    def __call__(self, rows_RSKD: Tensor) -> Contrast:
        """The value of the whole batch; its gradient is that of these embeddings.

        Args:
            rows_RSKD: The embeddings of the part again, with gradients.
        """
        asked = (rows_RSKD * self.gradient_RSKD).sum() * self.num_parts
        return Contrast(loss=self.contrast.loss + (asked - asked.detach()), accuracy=self.contrast.accuracy)


def compare_parts(
    embed: Callable[[slice], Tensor], compare: Callable[[Tensor], Contrast], parts: Sequence[slice]
) -> list[PartContrast]:
    """The first pass: the comparison of all parts together.

    Args:
        embed: Embeddings `[R, S, K, D]` of a part.
        compare: The comparison of embeddings `[R, S, P, D]`, of other processes too where it asks them.
        parts: The pairs of each part, in their order.

    Returns:
        For each part what the second pass needs.

    Source:
        Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup" (2021).
    """
    with torch.no_grad():
        rows_RSPD = torch.cat([embed(part) for part in parts], dim=2)
    rows_RSPD.requires_grad_()
    contrast = compare(rows_RSPD)
    (gradient_RSPD,) = torch.autograd.grad(contrast.loss, rows_RSPD)
    whole = Contrast(loss=contrast.loss.detach(), accuracy=contrast.accuracy.detach())
    return [
        PartContrast(contrast=whole, gradient_RSKD=gradient_RSPD[:, :, part], num_parts=len(parts))
        for part in parts
    ]
