"""Rate of matrix products, the limit of everything that arithmetic dominates."""

from collections.abc import Mapping

import torch

from benchmarks.part import Setting, Work
from cavmae_sync.choices import Precision
from cavmae_sync.compute import choose_float32_products, product_rate

#: Products of a ViT-B over 16 frames of 217 tokens: rows, inner length, columns.
SHAPES: Mapping[str, tuple[int, int, int]] = {
    "qkv": (3472, 768, 2304),
    "proj": (3472, 768, 768),
    "fc1": (3472, 768, 3072),
    "fc2": (3472, 3072, 768),
}
#: The same of a training step of 8 pairs: kept patches in the encoder, all of them in the decoder.
TRAINING_SHAPES: Mapping[str, tuple[int, int, int]] = {
    "encoder fc1, batch 8": (464, 768, 3072),
    "decoder fc1, batch 8": (3232, 512, 2048),
}


def product_work(setting: Setting, *, precision: Precision) -> Work:
    """The best rate over the shapes of a ViT-B, as the number "rate"."""
    device = torch.device(setting.device)
    kind = choose_float32_products(device)
    rates = {
        name: product_rate(device, precision=precision, shape=shape, float32_products=kind)
        for name, shape in SHAPES.items()
    }
    best = SHAPES[max(rates, key=lambda name: rates[name])]

    def repeat() -> dict[str, float]:
        return {"rate": product_rate(device, precision=precision, shape=best, float32_products=kind)}

    return Work(repeat=repeat, warm_up=lambda: None)
