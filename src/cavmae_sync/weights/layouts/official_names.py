"""Names of our tensors in the authors' files, both ways.

The authors build three pairs of norms in every block and use one, except in the joint layer. We do not build
the others: reading drops exactly those, writing adds them again as 1 and 0. Their files store the position
tables; ours are computed, unless a configuration says that they are learned.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

import torch
from torch import Tensor

from cavmae_sync.errors import WeightsError
from cavmae_sync.model.cavmae_sync import CAVMAESync
from cavmae_sync.model.config import ModelConfig
from cavmae_sync.model.positions import sine_cosine_positions

#: Ours -> theirs, for the first matching start of a name. Order matters.
_STARTS: Final[tuple[tuple[str, str], ...]] = (
    ("audio.patch_embed.", "patch_embed_a."),
    ("visual.patch_embed.", "patch_embed_v."),
    ("audio.blocks.", "blocks_a."),
    ("visual.blocks.", "blocks_v."),
    ("joint.blocks.", "blocks_u."),
    ("joint.norm", "norm"),
    ("joint.head_a.", "constrative_head_audio."),  # so spelt in the authors' files
    ("joint.head_v.", "constrative_head_visual."),
    ("decoder.embed.", "decoder_embed."),
    ("decoder.blocks.", "decoder_blocks."),
    ("decoder.norm.", "decoder_norm."),
    ("decoder.predict_a.", "decoder_pred_a."),
    ("decoder.predict_v.", "decoder_pred_v."),
)

#: Ours -> theirs for single tokens, which they store as [1, 1, D].
_TOKENS: Final[Mapping[str, str]] = {
    "audio.modality": "modality_a",
    "visual.modality": "modality_v",
    "audio.global_token": "cls_token_a",
    "visual.global_token": "cls_token_v",
    "decoder.mask_token": "mask_token",
    "decoder.modality_a": "decoder_modality_a",
    "decoder.modality_v": "decoder_modality_v",
}

#: Ours -> theirs for position tables, which they store as [1, N, D].
_TABLES: Final[Mapping[str, str]] = {
    "audio.positions_ND": "pos_embed_a",
    "visual.positions_ND": "pos_embed_v",
    "decoder.positions_a_ND": "decoder_pos_embed_a",
    "decoder.positions_v_ND": "decoder_pos_embed_v",
}

_UNUSED_NORM: Final = re.compile(
    r"(blocks_a|blocks_v|decoder_blocks|constrative_head_audio|constrative_head_visual|classifier_layers)"
    r"\.\d+\.norm[12]_[av]\..+"
)


def is_unused(theirs: str) -> bool:
    """Whether a name is that of a norm that the authors store and no pass uses."""
    return _UNUSED_NORM.fullmatch(theirs) is not None


def our_tensors(theirs: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Tensors of the authors by our names and in our shapes. Their names come without prefix."""
    our_tokens = {name: ours for ours, name in _TOKENS.items()}
    our_tables = {name: ours for ours, name in _TABLES.items()}
    found: dict[str, Tensor] = {}
    for name, value in theirs.items():
        if is_unused(name):
            continue
        if name in our_tables:
            if config.learned_positions:
                found[our_tables[name]] = value.squeeze(0)
        elif name == "register_tokens":
            # One tensor holds both: rows of audio first.
            found["audio.registers"], found["visual.registers"] = value.clone().chunk(2)
        elif name in our_tokens:
            found[our_tokens[name]] = value.reshape(-1)
        else:
            found[our_name(name)] = value
    return found


def their_tensors(ours: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Tensors by the authors' names, without prefix, with what their files store and ours do not."""
    found = {} if config.learned_positions else position_tables(config)
    for name, value in ours.items():
        if name in _TOKENS:
            found[_TOKENS[name]] = value.view(1, 1, -1)
        elif name in _TABLES:
            found[_TABLES[name]] = value.unsqueeze(0)
        elif not name.endswith(".registers"):
            found[_their_name(name)] = value
    if config.registers:
        found["register_tokens"] = torch.cat([ours["audio.registers"], ours["visual.registers"]])
    return with_unused_norms(found)


def with_unused_norms(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Add the norms that no pass uses, with their first values: weight 1, bias 0."""
    found = dict(theirs)
    for name, value in theirs.items():
        if match := re.fullmatch(r"(.+\.norm[12])\.(weight|bias)", name):
            for suffix in ("_a", "_v"):
                unused = f"{match[1]}{suffix}.{match[2]}"
                if is_unused(unused):
                    found[unused] = torch.full_like(value, 1.0 if match[2] == "weight" else 0.0)
    return found


def their_shapes(config: ModelConfig) -> dict[str, torch.Size]:
    """Names and shapes of a model in the authors' layout, without prefix. Takes no memory."""
    with torch.device("meta"):
        return {
            name: value.shape
            for name, value in their_tensors(CAVMAESync(config).state_dict(), config).items()
        }


def position_tables(config: ModelConfig) -> dict[str, Tensor]:
    """Fixed position tables by the authors' names."""
    tables: dict[str, Tensor] = {}
    for side, grid in (("a", config.audio_grid), ("v", config.visual_grid)):
        tables[f"pos_embed_{side}"] = sine_cosine_positions(config.width, grid).unsqueeze(0)
        if config.decoder is not None:
            table_ND = sine_cosine_positions(config.decoder.width, grid)
            tables[f"decoder_pos_embed_{side}"] = table_ND.unsqueeze(0)
    return tables


def our_name(theirs: str) -> str:
    """Name of a tensor in our files, except for tokens and tables; an unknown one keeps its name."""
    for ours, start in _STARTS:
        if theirs.startswith(start):
            return ours + theirs.removeprefix(start)
    return theirs


def depth_of(names: Iterable[str], stack: str) -> int:
    """Number of blocks of a stack, from the names of tensors. A gap counts, so the check of names finds it.

    Raises:
        WeightsError: There are more blocks than tensors. Building such a model would take very long.
    """
    given = list(names)
    numbers = {
        int(match[1]) for name in given if (match := re.match(rf"{re.escape(stack)}\.(\d{{1,4}})\.", name))
    }
    depth = max(numbers) + 1 if numbers else 0
    if depth > len(given):
        raise WeightsError(f"{stack} has a block {depth - 1}, but the file only {len(given)} tensors.")
    return depth


def _their_name(ours: str) -> str:
    for start, theirs in _STARTS:
        if ours.startswith(start):
            return theirs + ours.removeprefix(start)
    raise KeyError(ours)
