"""Rates of matrix products themselves: what the shares of all other parts refer to."""

from functools import partial

import torch

from benchmarks.part import Part, Setting, Variant, Work
from benchmarks.products import SHAPES, TRAINING_SHAPES
from benchmarks.result import PartResult
from cavmae_sync.choices import Precision
from cavmae_sync.compute import Float32Products, product_rate

_ALL = {**SHAPES, **TRAINING_SHAPES}


def all_shapes(setting: Setting, *, precision: Precision, kind: Float32Products = "highest") -> Work:
    """The rate of every shape."""
    device = torch.device(setting.device)

    def repeat() -> dict[str, float]:
        return {
            f"{name}, GFLOP/s": product_rate(device, precision=precision, shape=shape, float32_products=kind)
            / 1e9
            for name, shape in _ALL.items()
        }

    return Work(
        repeat=repeat,
        units=sum(2.0 * rows * inner * columns for rows, inner, columns in _ALL.values()),
        warm_up=lambda: None,
    )


def rates_of(result: PartResult) -> dict[str, float]:
    """Best operations per second by precision, where the part measured them."""
    if result.name != PART.name:
        return {}
    return {
        row.variant: 1e9 * max(row.numbers.values()) for row in result.rows if not row.error and row.numbers
    }


PART = Part(
    name="products",
    title="matrix products of a ViT-B",
    unit="operation",
    rounds=2,
    variants=(
        Variant(name="float32", make=partial(all_shapes, precision="float32")),
        Variant(name="float32, medium", make=partial(all_shapes, precision="float32", kind="medium")),
        Variant(name="bfloat16", make=partial(all_shapes, precision="bfloat16")),
        Variant(name="int8", make=partial(all_shapes, precision="int8")),
    ),
    note="Layers as the model computes them, without batching: 3472 rows are 16 frames of 217 tokens; int8 "
    "rounds its rows too. `medium` is float32 by oneDNN instead of the framework's own library (MKL here).",
)
