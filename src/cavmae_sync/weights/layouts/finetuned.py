"""Fine-tuned classifiers of the authors (`CAVMAEFT`): a backbone without decoder, and a head."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cavmae_sync.errors import WeightsError
from cavmae_sync.model.config import ModelConfig
from cavmae_sync.model.heads import Head, HeadConfig, make_head
from cavmae_sync.weights.layouts.check import check_names
from cavmae_sync.weights.layouts.official import check_tables, learned_tables, read_config, without_prefixes
from cavmae_sync.weights.layouts.official_names import (
    depth_of,
    is_unused,
    our_tensors,
    their_shapes,
    with_unused_norms,
)

_STARTS = (
    ("blocks.", "classifier_layers."),
    ("norm.", "classifier_norm."),
    ("classify.", "classifier_head."),
)
_HEAD_STARTS = ("cls_cls_token", "classifier_", "mlp_head.")


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadWeights:
    """Head of a classifier.

    Attributes:
        config: Its shape: a head of width `2 D` gets both modalities, one of width `D` gets one.
        state: Its tensors by our names.
    """

    config: HeadConfig
    state: dict[str, Tensor]

    def build(self) -> Head:
        """Build the head, in evaluation mode."""
        head = make_head(self.config)
        head.load_state_dict(self.state, strict=True)
        return head.eval()


def from_finetuned(
    state: Mapping[str, Tensor], *, config: ModelConfig | None = None, overrides: Sequence[str] = ()
) -> tuple[ModelConfig, dict[str, Tensor], HeadWeights | None]:
    """Configuration, tensors of the backbone, and the head of a fine-tuned classifier.

    Position tables that were trained become weights (`learned_positions`).

    Returns:
        Configuration, tensors by our names, head. The head is None for CAV-MAE's own (`mlp_head`: layer norm
        and linear layer on the mean of all tokens of the fused pass): no feature of ours fits it.

    Raises:
        WeightsError: Names or shapes are not exactly those of such a classifier.
    """
    theirs = without_prefixes(state)
    backbone = {name: value for name, value in theirs.items() if not name.startswith(_HEAD_STARTS)}
    if config is None:
        config = read_config(backbone, overrides)
        expected = their_shapes(config)
        if all(backbone[name].shape == expected.get(name) for name in backbone if "pos_embed" in name):
            config = config.model_copy(
                update={
                    "learned_positions": config.learned_positions or bool(learned_tables(backbone, config))
                }
            )
    check_names(theirs, {**their_shapes(config), **_head_shapes(theirs, config)}, layout="finetuned")
    check_tables(backbone, config)
    ours = {name: value.float() for name, value in our_tensors(backbone, config).items()}
    return config, ours, _head(theirs)


def head_to_official(head: Head) -> dict[str, Tensor]:
    """Tensors of a head by the authors' names, without prefix, with the norms that no pass uses."""
    found: dict[str, Tensor] = {}
    for name, value in head.state_dict().items():
        if name == "class_token":
            found["cls_cls_token"] = value.view(1, 1, -1)
        else:
            ours, theirs = next(pair for pair in _STARTS if name.startswith(pair[0]))
            found[theirs + name.removeprefix(ours)] = value
    return with_unused_norms(found)


def _head(theirs: Mapping[str, Tensor]) -> HeadWeights | None:
    if "cls_cls_token" not in theirs:
        return None
    state: dict[str, Tensor] = {"class_token": theirs["cls_cls_token"].reshape(-1).float()}
    for name, value in theirs.items():
        for ours, start in _STARTS:
            if name.startswith(start) and not is_unused(name):
                state[ours + name.removeprefix(start)] = value.float()
    return HeadWeights(config=_head_config(theirs), state=state)


def _head_config(theirs: Mapping[str, Tensor]) -> HeadConfig:
    for name in ("classifier_head.weight", "classifier_layers.0.mlp.fc1.weight"):
        if name not in theirs or theirs[name].ndim != len(("out", "in")) or 0 in theirs[name].shape:
            raise WeightsError(f"a fine-tuned classifier without a proper {name}")
    num_classes, width = theirs["classifier_head.weight"].shape
    return HeadConfig(
        width=width,
        num_classes=num_classes,
        depth=depth_of(theirs, "classifier_layers"),
        mlp_ratio=theirs["classifier_layers.0.mlp.fc1.weight"].shape[0] // width,
    )


def _head_shapes(theirs: Mapping[str, Tensor], config: ModelConfig) -> dict[str, torch.Size]:
    if "cls_cls_token" not in theirs:
        if "mlp_head.1.weight" not in theirs or theirs["mlp_head.1.weight"].ndim == 0:
            raise WeightsError(
                "a fine-tuned classifier with a head that is not known: neither cls_cls_token (CAV-MAE Sync) "
                "nor mlp_head.1.weight (CAV-MAE)"
            )
        num_classes, width = theirs["mlp_head.1.weight"].shape[0], config.width
        return {
            "mlp_head.0.weight": torch.Size([width]),
            "mlp_head.0.bias": torch.Size([width]),
            "mlp_head.1.weight": torch.Size([num_classes, width]),
            "mlp_head.1.bias": torch.Size([num_classes]),
        }
    head_config = _head_config(theirs)
    if head_config.width not in (config.width, 2 * config.width):
        raise WeightsError(
            f"a head of width {head_config.width} on a backbone of width {config.width}: it must be that "
            "(one modality) or twice that (both)"
        )
    with torch.device("meta"):
        return {name: value.shape for name, value in head_to_official(make_head(head_config)).items()}
