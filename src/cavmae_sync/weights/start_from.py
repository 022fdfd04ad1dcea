"""Weights that a run starts from: ours, the authors', or those of an ImageNet MAE."""

import re
from pathlib import Path

from cavmae_sync.errors import WeightsError
from cavmae_sync.model import CAVMAESync, ModelConfig
from cavmae_sync.weights.layouts.read import ReadWeights, interpret, is_ours
from cavmae_sync.weights.load import may_be_fresh
from cavmae_sync.weights.weights_file import read_file

#: Parts that a model may have and the trained weights that it starts from may lack.
_ADDED = re.compile(r"(audio|visual)\.(global_token|registers)|joint\.head_[av]\..+")


def start_from(model: CAVMAESync, path: Path) -> list[str]:
    """Copy the weights of a file into a fresh model; parts that the file cannot have stay fresh.

    Global tokens, registers and contrastive heads may be absent (plain CAV-MAE has none); an MAE has no
    modality codes either, and its encoder alone no decoder. Position tables are computed, so weights of
    another segment length fit.

    Args:
        model: A fresh model; changed in place.
        path: `.safetensors` of ours, a file of the authors, or an MAE ViT in its own, timm's or Hugging
            Face's names.

    Returns:
        Names of the parameters that stayed fresh.

    Raises:
        WeightsError: Anything else is missing, unknown or of another shape.
    """
    if not path.is_file():
        raise WeightsError(f"{path} does not exist.")
    read = _read(path, model.config)
    own = model.state_dict()
    fresh = sorted(own.keys() - read.state.keys())
    expected = (_ADDED, may_be_fresh(read))
    problems = [f"{name} missing" for name in fresh if not any(each.fullmatch(name) for each in expected)]
    problems += [f"{name} unknown" for name in sorted(read.state.keys() - own.keys())]
    problems += [
        f"{name} is {tuple(value.shape)}, {tuple(own[name].shape)} needed"
        for name, value in read.state.items()
        if name in own and value.shape != own[name].shape
    ]
    if problems:
        more = f" and {len(problems) - 6} more" if len(problems) > 6 else ""
        raise WeightsError(
            f"{path} cannot start this model: {'; '.join(problems[:6])}{more}. "
            "Choose model.* fields to match it."
        )
    model.load_state_dict(own | read.state)
    return fresh


def _read(path: Path, wanted: ModelConfig) -> ReadWeights:
    """Read the file, with the model's numbers of heads where the file does not name its own."""
    file = read_file(path)
    if is_ours(file):
        read = interpret(file, path)
        _check_heads(path, read.config, wanted)
        return read
    words = [f"heads={wanted.heads}"]
    if wanted.decoder is not None and any("decoder_embed" in name for name in file.tensors):
        words.append(f"decoder.heads={wanted.decoder.heads}")
    return interpret(file, path, overrides=words)


def _check_heads(path: Path, found: ModelConfig, wanted: ModelConfig) -> None:
    """Refuse weights of another number of heads: no shape shows it, so it would go unnoticed."""
    heads = [("model.heads", found.heads, wanted.heads)]
    if found.decoder is not None and wanted.decoder is not None:
        heads.append(("model.decoder.heads", found.decoder.heads, wanted.decoder.heads))
    for name, theirs, ours in heads:
        if theirs != ours:
            raise WeightsError(
                f"{path} was made with {name}={theirs}, this model has {ours}. Set it to {theirs}."
            )
