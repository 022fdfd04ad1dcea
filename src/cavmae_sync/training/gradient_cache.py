"""Gradient caching: a whole batch is compared in the memory of one part.

A step of several accumulated parts passes each part twice. The first pass, without gradients, gives the
embeddings of all parts; their comparison gives the loss of the undivided batch, and its gradient for each
embedding. The second pass, part by part and with gradients, takes that gradient on to the weights, together
with the reconstruction loss. Both passes see the same inputs and masks, and nothing in the model is random,
so the sum of the gradients is that of the undivided batch, to rounding.

The first pass needs the encoders and the aligned pass of the joint layer, and no decoder: 0.45 of a forward
pass of ViT-B by operations, 0.15 of a step.

R kinds of embedding, S the two modalities, P pairs of this process, K pairs of a part, D width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cavmae_sync.losses import Contrast


@dataclass(frozen=True, kw_only=True, slots=True)
class PartContrast:
    """Comparison of a whole batch, for one of its parts.

    Attributes:
        contrast: Loss and accuracy of the whole batch, without gradients.
        gradient_RSKD: Gradient of the loss with respect to the embeddings of this part.
        num_parts: Parts of the batch, over whose losses a step takes the mean.
    """

    contrast: Contrast
    gradient_RSKD: Tensor
    num_parts: int

    def __call__(self, rows_RSKD: Tensor) -> Contrast:
        """Loss of the whole batch, whose gradient reaches these embeddings.

        Args:
            rows_RSKD: The embeddings of the part again, with gradients.
        """
        # A product of embeddings and gradient has this gradient. Its value is taken away again, so the loss
        # shown is that of the batch; parts are averaged by the step, hence the factor.
        pull = (rows_RSKD * self.gradient_RSKD).sum() * self.num_parts
        return Contrast(loss=self.contrast.loss + (pull - pull.detach()), accuracy=self.contrast.accuracy)


def compare_parts(
    embed: Callable[[slice], Tensor], compare: Callable[[Tensor], Contrast], parts: Sequence[slice]
) -> list[PartContrast]:
    """Compare all parts together: the first pass.

    Args:
        embed: Embeddings `[R, S, K, D]` of a part.
        compare: Compares embeddings `[R, S, P, D]`, with those of other processes where negatives are global.
        parts: The pairs of each part, in their order.

    Returns:
        The comparison for each part, which its second pass needs.

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
