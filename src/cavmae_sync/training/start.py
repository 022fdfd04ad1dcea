"""The weights a run starts from: an ImageNet MAE checkpoint, or one of ours or of the authors."""

import re
from pathlib import Path

from torch import Tensor

from cavmae_sync.errors import WeightsError
from cavmae_sync.model import CAVMAESync, ModelConfig, from_mae, from_official, load_model, read_pth

#: Parts that other weights may lack; they stay fresh (spec 3.5). Anything else must be there, exactly.
_MAY_BE_FRESH = re.compile(r"(audio|visual)\.(global_token|registers)|joint\.head_[av]\..+")
_FRESH_FROM_MAE = re.compile(_MAY_BE_FRESH.pattern + r"|(audio|visual)\.modality|decoder\.modality_[av]")


def start_from(model: CAVMAESync, path: Path) -> list[str]:
    """Copy the weights of a file into a fresh model; what the file cannot have stays fresh.

    Global tokens, registers and contrastive heads may be absent (plain CAV-MAE has none); from an MAE
    checkpoint the modality codes are too. Position tables are computed, so another segment length is fine.

    Args:
        model: A fresh model; changed in place.
        path: `.safetensors` of ours, `.pth` of the authors, or an MAE ViT `.pth` with decoder.

    Returns:
        Names of the parameters that stayed fresh.

    Raises:
        WeightsError: Anything else is missing, unknown or of another shape.
    """
    state, may_be_fresh = _read(path, model.config)
    own = model.state_dict()
    fresh = sorted(own.keys() - state.keys())
    problems = [f"{name} missing" for name in fresh if not may_be_fresh.fullmatch(name)]
    problems += [f"{name} unknown" for name in sorted(state.keys() - own.keys())]
    problems += [
        f"{name} is {tuple(value.shape)}, {tuple(own[name].shape)} needed"
        for name, value in state.items()
        if name in own and value.shape != own[name].shape
    ]
    if problems:
        more = f" and {len(problems) - 6} more" if len(problems) > 6 else ""
        raise WeightsError(
            f"{path} cannot start this model: {'; '.join(problems[:6])}{more}. "
            "Choose model.* fields to match it."
        )
    model.load_state_dict(own | state)
    return fresh


def _read(path: Path, config: ModelConfig) -> tuple[dict[str, Tensor], re.Pattern[str]]:
    if path.suffix == ".safetensors":
        found = load_model(path)
        _check_heads(path, found.config, config)
        return dict(found.state_dict()), _MAY_BE_FRESH
    if not path.is_file():
        raise WeightsError(f"{path} does not exist.")
    state = read_pth(path)
    if "patch_embed.proj.weight" in state:
        return from_mae(state), _FRESH_FROM_MAE
    return from_official(state)[1], _MAY_BE_FRESH


def _check_heads(path: Path, found: ModelConfig, wanted: ModelConfig) -> None:
    """The number of heads shows in no shape."""
    heads = [("model.heads", found.heads, wanted.heads)]
    if found.decoder is not None and wanted.decoder is not None:
        heads.append(("model.decoder.heads", found.decoder.heads, wanted.decoder.heads))
    for name, theirs, ours in heads:
        if theirs != ours:
            raise WeightsError(
                f"{path} was made with {name}={theirs}, this model has {ours}. Set it to {theirs}."
            )
