"""Checks of every layout: exact names and shapes, and numbers of heads, which no shape shows."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor

from cavmae_sync.checks import first_names
from cavmae_sync.choices import Layout
from cavmae_sync.errors import WeightsError
from cavmae_sync.paper import DECODER_HEADS, DECODER_WIDTH, NUM_HEADS, WIDTH

#: Title of a layout in messages and tables.
TITLES: Final[Mapping[Layout, str]] = {
    "ours": "cavmae-sync",
    "sync": "CAV-MAE Sync (authors)",
    "cavmae": "plain CAV-MAE (authors)",
    "finetuned": "fine-tuned CAV-MAE classifier (authors, CAVMAEFT)",
    "mae": "ImageNet MAE with decoder",
    "timm": "ImageNet MAE, encoder (timm)",
    "huggingface": "ImageNet MAE (Hugging Face)",
}

#: Types that weights may have. They can be given back bit for bit.
FLOAT_TYPES: Final = (torch.float64, torch.float32, torch.float16, torch.bfloat16)

#: Attention heads by width: of the published encoders, of ImageNet MAE's, of their decoders, of classifiers.
PUBLISHED_HEADS: Final[Mapping[int, int]] = MappingProxyType({WIDTH: NUM_HEADS})
MAE_HEADS: Final[Mapping[int, int]] = MappingProxyType({WIDTH: NUM_HEADS, 1024: 16})
PUBLISHED_DECODER_HEADS: Final[Mapping[int, int]] = MappingProxyType({DECODER_WIDTH: DECODER_HEADS})
CLASSIFIER_HEADS: Final[Mapping[int, int]] = MappingProxyType({WIDTH: NUM_HEADS, 2 * WIDTH: NUM_HEADS})
_NUM_SHOWN: Final = 8


def check_names(found: Mapping[str, Tensor], expected: Mapping[str, torch.Size], *, layout: Layout) -> None:
    """Refuse tensors that are not exactly those of a layout.

    Raises:
        WeightsError: Names are missing or unknown, or shapes differ; they are listed.
    """
    if problems := differences({name: value.shape for name, value in found.items()}, expected):
        raise WeightsError(f"recognised as {TITLES[layout]}, but it is not exactly that: {problems}.")


def differences(
    found: Mapping[str, torch.Size], expected: Mapping[str, torch.Size], *, needed_by: str = "the model needs"
) -> str:
    """Every difference between two sets of tensors in one line; empty where there is none."""
    shapes = [
        f"{name} is {tuple(found[name])}, {needed_by} {tuple(expected[name])}"
        for name in sorted(expected.keys() & found.keys())
        if found[name] != expected[name]
    ]
    parts = (
        ("missing", sorted(expected.keys() - found.keys())),
        ("unknown", sorted(found.keys() - expected.keys())),
        ("shapes", shapes),
    )
    return "; ".join(f"{what}: {first_names(names, most=_NUM_SHOWN)}" for what, names in parts if names)


def heads_of(
    width: int,
    decoder_width: int | None,
    overrides: Sequence[str],
    *,
    published: Mapping[int, int] = PUBLISHED_HEADS,
) -> tuple[int, int | None]:
    """Attention heads of the encoders and of the decoder. No shape shows them, so a width must be published.

    Args:
        width: Of the encoders.
        decoder_width: Of the decoder; None where there is none.
        overrides: `key=value` words; the result is 1 where one of them will set the number.
        published: Heads of the published models of this layout, by their width.

    Raises:
        WeightsError: A width is not published, and no word says the number.
    """
    given = {word.partition("=")[0] for word in overrides}
    asked = (("heads", width, published), ("decoder.heads", decoder_width, PUBLISHED_DECODER_HEADS))
    unknown = [each for each in asked if each[1] is not None and each[1] not in each[2]]
    if missing := [each for each in unknown if each[0] not in given]:
        widths = " and ".join(f"{name} of width {size}" for name, size, _ in missing)
        known = " and ".join(_heads_text(known) for _, _, known in missing)
        raise WeightsError(
            f"no tensor shows the number of attention heads, and no published model has {widths} "
            f"(published: {known}). Say how many: "
            f"{' '.join(f'{name}=N' for name, _, _ in missing)} (in Python: config=ModelConfig(...))."
        )
    decoder_heads = None if decoder_width is None else PUBLISHED_DECODER_HEADS.get(decoder_width, 1)
    return published.get(width, 1), decoder_heads


def _heads_text(known: Mapping[int, int]) -> str:
    return ", ".join(f"width {width} has {heads}" for width, heads in known.items())
