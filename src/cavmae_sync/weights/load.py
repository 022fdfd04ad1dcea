"""Models out of weights files of any layout.

Nothing here executes what a file contains.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from cavmae_sync.errors import WeightsError
from cavmae_sync.model.cavmae_sync import CAVMAESync
from cavmae_sync.model.config import ModelConfig
from cavmae_sync.weights.hub import find_weights
from cavmae_sync.weights.layouts.check import differences
from cavmae_sync.weights.layouts.mae import is_mae
from cavmae_sync.weights.layouts.read import ReadWeights, read_weights

#: Parameters that no ImageNet MAE has; they stay fresh in a model that starts from one.
FRESH_FROM_MAE: Final = re.compile(
    r"(audio|visual)\.(global_token|registers|modality)|joint\.head_[av]\..+|decoder\.modality_[av]"
)
#: The same for its encoder alone.
FRESH_FROM_MAE_ENCODER: Final = re.compile(FRESH_FROM_MAE.pattern + r"|decoder\..+")
_NOTHING: Final = re.compile(r"(?!)")


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedWeights:
    """A model, the file it was read from, and what the file lacked.

    Attributes:
        model: On the CPU, in evaluation mode.
        read: Content of the file.
        fresh: Names of the parameters that the file does not have, drawn from the seed.
    """

    model: CAVMAESync
    read: ReadWeights
    fresh: tuple[str, ...]


def load_model(
    path: str | Path, *, config: ModelConfig | None = None, overrides: Sequence[str] = (), seed: int = 0
) -> CAVMAESync:
    """Load a model from a file of any known layout, on the CPU, in evaluation mode.

    Warns where an ImageNet MAE leaves parts of the model fresh; `load_weights` returns their names.

    Args:
        path: `.safetensors` written by `save_model`; a file of the authors (pretrained or fine-tuned), an
            ImageNet MAE (published, timm's or Hugging Face's names), which gives the start of a training; a
            folder that `save_pretrained` or training wrote; or a name on a hub: `organisation/name`,
            `organisation/name@revision`, `hf://organisation/name/file.pth`. A path that exists wins.
        config: Shape of the model. Our files carry it. For other files it is read off the tensors, except for
            what no tensor shows: attention heads, whether registers entered the joint layer, alignment.
        overrides: `key=value` words for what no tensor shows, instead of a whole configuration.
        seed: Seed of the parts that an ImageNet MAE does not have.

    Raises:
        ConfigError: A word does not fit.
        WeightsError: The file is missing, is not weights, or its keys and shapes are not exactly the
            model's. Differences are listed.
    """
    loaded = load_weights(path, config=config, overrides=overrides, seed=seed)
    if loaded.fresh:
        warnings.warn(
            f"{path} is the start of a model, not a trained one: fresh from seed {seed} are "
            f"{', '.join(_groups(loaded.fresh))}.",
            stacklevel=2,
        )
    return loaded.model


def load_weights(
    path: str | Path, *, config: ModelConfig | None = None, overrides: Sequence[str] = (), seed: int = 0
) -> LoadedWeights:
    """`load_model`, together with the content of the file and the names of what stayed fresh.

    Args:
        path: As for `load_model`.
        config: As for `load_model`.
        overrides: `key=value` words for what no tensor shows.
        seed: Seed of the parts that an ImageNet MAE does not have.

    Raises:
        WeightsError: As for `load_model`.
        ConfigError: A word does not fit.
    """
    ModelConfig().check_fields(overrides)
    path = find_weights(path)
    if not path.is_file():
        raise WeightsError(
            f"{path} does not exist. Give a .safetensors file, a .pth of the authors, or the name of a "
            "repository on the hub: organisation/name."
        )
    read = read_weights(path, config=config, overrides=overrides)
    fresh = check_fits(read.config, read.state, source=str(path), may_be_fresh=may_be_fresh(read))
    if fresh:
        model = CAVMAESync(read.config, generator=torch.Generator().manual_seed(seed))
        model.load_state_dict(model.state_dict() | read.state)
    else:
        model = CAVMAESync.with_weights(read.config, read.state)
    return LoadedWeights(model=model.eval(), read=read, fresh=fresh)


def may_be_fresh(read: ReadWeights) -> re.Pattern[str]:
    """Pattern of the parameters that a file of this layout cannot have."""
    if not is_mae(read.layout):
        return _NOTHING
    has_decoder = any(name.startswith("decoder.") for name in read.state)
    return FRESH_FROM_MAE if has_decoder else FRESH_FROM_MAE_ENCODER


def reconfigured(model: CAVMAESync, config: ModelConfig) -> CAVMAESync:
    """A model with the same weights under another configuration, which changes what no tensor shows.

    Raises:
        WeightsError: The configuration asks for other tensors.
    """
    state = {name: value.cpu() for name, value in model.state_dict().items()}
    check_fits(config, state, source="the weights")
    return CAVMAESync.with_weights(config, state).eval()


def load_exactly(model: CAVMAESync, state: Mapping[str, Tensor], *, source: str) -> None:
    """Copy `state` into `model`; every key and shape must match.

    Raises:
        WeightsError: Keys are missing or unknown, or shapes differ. They are listed.
    """
    _check({name: value.shape for name, value in model.state_dict().items()}, state, source=source)
    model.load_state_dict(dict(state), strict=True)


def check_fits(
    config: ModelConfig,
    state: Mapping[str, Tensor],
    *,
    source: str,
    may_be_fresh: re.Pattern[str] = _NOTHING,
) -> tuple[str, ...]:
    """Refuse tensors that are not those of a model of this shape, before the model takes memory.

    Returns:
        Names of the tensors that are missing and may be fresh.

    Raises:
        WeightsError: Keys are missing or unknown, or shapes differ. They are listed.
    """
    # A header of a few bytes may ask for gigabytes. Sizes are compared with those of the tensors first, then
    # shapes with those of a model on torch's meta device, which takes no memory for numbers.
    depths = [config.depth, config.joint_depth, config.contrastive_head_depth]
    depths += [] if config.decoder is None else [config.decoder.depth]
    if max(depths) > len(state):
        raise WeightsError(f"{source} does not fit the model: {max(depths)} blocks, {len(state)} tensors.")
    sizes = [config.width * config.mlp_ratio, config.registers]
    sizes += [] if config.decoder is None else [config.decoder.width * config.mlp_ratio]
    largest = max((max(value.shape, default=1) for value in state.values()), default=1)
    if max(sizes) > largest:
        raise WeightsError(
            f"{source} does not fit the model: it has a size of {max(sizes)}, the largest of a tensor is "
            f"{largest}."
        )
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in CAVMAESync(config).state_dict().items()}
    needed = {
        name: shape for name, shape in shapes.items() if name in state or not may_be_fresh.fullmatch(name)
    }
    _check(needed, state, source=source)
    return tuple(sorted(shapes.keys() - state.keys()))


def _check(shapes: Mapping[str, torch.Size], state: Mapping[str, Tensor], *, source: str) -> None:
    if problems := differences({name: value.shape for name, value in state.items()}, shapes):
        raise WeightsError(
            f"{source} does not fit the model. {problems}. Use the configuration it was made with."
        )


def _groups(names: Sequence[str]) -> list[str]:
    """Names of parameters, those of a whole stack as one."""
    return sorted(
        {re.sub(r"^(decoder\.(?!modality|mask)|joint\.head_[av]\.).+", r"\1*", name) for name in names}
    )
