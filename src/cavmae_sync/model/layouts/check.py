"""What every layout is checked for: exact names and shapes, and numbers of heads that no shape shows."""

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from cavmae_sync.choices import Layout
from cavmae_sync.errors import WeightsError

#: What a layout is called in messages and tables.
TITLES: Final[Mapping[Layout, str]] = {
    "ours": "cavmae-sync",
    "sync": "CAV-MAE Sync (authors)",
    "cavmae": "plain CAV-MAE (authors)",
    "finetuned": "fine-tuned CAV-MAE classifier (authors, CAVMAEFT)",
    "mae": "ImageNet MAE with decoder",
    "timm": "ImageNet MAE, encoder (timm)",
    "huggingface": "ImageNet MAE (Hugging Face)",
}

#: Types that weights may have: those that are given back bit for bit.
FLOAT_TYPES: Final = (torch.float64, torch.float32, torch.float16, torch.bfloat16)

#: Width of an attention head of a ViT and of its decoder.
_HEAD_WIDTH: Final = 64
_DECODER_HEAD_WIDTH: Final = 32
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
    return "; ".join(
        f"{what}: {', '.join(names[:_NUM_SHOWN])}"
        + (f" and {len(names) - _NUM_SHOWN} more" if len(names) > _NUM_SHOWN else "")
        for what, names in parts
        if names
    )


def heads_of(width: int, decoder_width: int | None, overrides: Sequence[str]) -> tuple[int, int | None]:
    """Attention heads of the encoders and of the decoder, by their widths; 1 where a word will say it.

    Raises:
        WeightsError: A width is no multiple of a head's, and no word says the number.
    """
    given = {word.partition("=")[0] for word in overrides}
    unknown = [
        (name, size, of)
        for name, size, of in (
            ("heads", width, _HEAD_WIDTH),
            ("decoder.heads", decoder_width, _DECODER_HEAD_WIDTH),
        )
        if size is not None and size % of and name not in given
    ]
    if unknown:
        widths = " and ".join(str(size) for _, size, _ in unknown)
        multiples = " and ".join(str(of) for _, _, of in unknown)
        raise WeightsError(
            f"widths {widths} are not multiples of {multiples}, so the number of attention heads cannot be "
            "guessed. Say how many: "
            f"{' '.join(f'{name}=N' for name, _, _ in unknown)} (in Python: config=ModelConfig(...))."
        )
    decoder_heads = None if decoder_width is None else _heads(decoder_width, _DECODER_HEAD_WIDTH)
    return _heads(width, _HEAD_WIDTH), decoder_heads


def _heads(width: int, head_width: int) -> int:
    return 1 if width % head_width else width // head_width
