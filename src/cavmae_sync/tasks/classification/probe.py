"""Probe: a trained head, the names of its outputs, and the features that it needs.

B clips, T frames per clip, D width of a feature, C classes.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self, get_args

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cavmae_sync.choices import ClassLoss
from cavmae_sync.errors import ConfigError, WeightsError
from cavmae_sync.model import CAVMAESync, Modality
from cavmae_sync.model.heads import Head, HeadConfig, make_head
from cavmae_sync.paper import NUM_AUDIOSET_CLASSES, NUM_VGGSOUND_CLASSES
from cavmae_sync.tasks.classification.features import FeatureConfig
from cavmae_sync.untrusted import parse_json
from cavmae_sync.weights import weights_fingerprint
from cavmae_sync.weights.layouts.check import CLASSIFIER_HEADS
from cavmae_sync.weights.layouts.finetuned import HeadWeights
from cavmae_sync.weights.save import write_safetensors

PROBE_FILE: Final = "probe.safetensors"
_FORMAT: Final = "cavmae-sync probe/1"
#: Losses of the published classifiers by number of classes: clips of AudioSet have several labels, those of
#: VGGSound have one.
KNOWN_LOSSES: Final[Mapping[int, ClassLoss]] = {NUM_AUDIOSET_CLASSES: "bce", NUM_VGGSOUND_CLASSES: "ce"}
_DESCRIBED: Final = ("classes", "loss", "weights", "model_path")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Probe:
    """A head on the features of one backbone.

    Attributes:
        head: Features to logits, in evaluation mode.
        head_config: Shape of the head.
        classes: Name of each class, in the order of the outputs.
        features: Features that the head needs.
        loss: "bce" decides each class by itself, "ce" chooses one class.
        weights: Fingerprint of the backbone it was trained on; with another one its outputs mean nothing.
        model_path: Path of the backbone at training, for people; None where it is not known.
    """

    head: Head
    head_config: HeadConfig
    classes: tuple[str, ...]
    features: FeatureConfig
    loss: ClassLoss
    weights: str
    model_path: str | None = None

    def __post_init__(self) -> None:
        if len(self.classes) != self.head_config.num_classes:
            raise ValueError(
                f"A head with {self.head_config.num_classes} outputs needs as many names of classes, "
                f"got {len(self.classes)}."
            )
        self.head.eval()

    @torch.no_grad()
    def probabilities(self, features_BTD: Tensor) -> Tensor:
        """Probability of each class.

        Args:
            features_BTD: Features of clips with any number of frames, of any floating dtype.

        Returns:
            float64 `[B, C]` on the CPU, in [0, 1]: for "bce" each class by itself, for "ce" rows of sum 1.

        Raises:
            ValueError: The features have another width.
        """
        width = self.head_config.width
        if features_BTD.ndim != 3 or features_BTD.shape[2] != width:
            raise ValueError(
                f"features must be [clips, frames, {width}] ({self.features}), got "
                f"{tuple(features_BTD.shape)}."
            )
        device = self.head.classify.weight.device
        logits_BC = self.head(features_BTD.to(device, torch.float32)).cpu().double()
        return logits_BC.sigmoid() if self.loss == "bce" else logits_BC.softmax(dim=1)

    def check_weights(self, fingerprint: str) -> None:
        """Refuse another backbone than the one the probe was trained on.

        Args:
            fingerprint: `weights_fingerprint` of the model that computes the features.

        Raises:
            WeightsError: It is another model.
        """
        if fingerprint != self.weights:
            origin = "" if self.model_path is None else f" from {self.model_path}"
            raise WeightsError(
                f"The probe was trained on weights {self.weights[:12]}{origin}, but this model has weights "
                f"{fingerprint[:12]}. Give that model, or train a probe on this one with `cavmae-sync probe`."
            )

    @classmethod
    def of_finetuned(
        cls,
        head: HeadWeights,
        model: CAVMAESync,
        *,
        classes: Sequence[str] | None = None,
        loss: ClassLoss | None = None,
        modality: Modality | None = None,
        heads: int | None = None,
    ) -> Self:
        """Probe of a classifier that the authors fine-tuned, on its own backbone.

        Args:
            head: Weights of the head, as read from the file of the backbone.
            model: The backbone.
            classes: Name of each class; None names them by their numbers.
            loss: Loss of its training; None takes "bce" for the 527 classes of AudioSet and "ce" for the 309
                of VGGSound.
            modality: Modality of a head that takes only one. Its feature is that of the released code: the
                mean of all tokens behind the joint layer, with the norms of the joint pass.
            heads: Attention heads of its blocks; None takes the 12 of the published widths.

        Raises:
            ConfigError: The number of names differs; or loss, modality or heads are neither given nor known.
        """
        shape, is_of_both = head.config, head.config.width == 2 * model.config.width
        names = tuple(classes) if classes is not None else tuple(map(str, range(shape.num_classes)))
        loss = loss or KNOWN_LOSSES.get(shape.num_classes)
        heads = heads or CLASSIFIER_HEADS.get(shape.width)
        problems = [
            *_problems_of_classes(len(names), shape.num_classes, loss),
            *_problems_of_modality(modality, is_of_both=is_of_both),
            *_problems_of_heads(heads, shape.width),
        ]
        if loss is None or problems:
            raise ConfigError(" ".join(problems))
        shape = shape.model_copy(update={"heads": heads})
        return cls(
            head=replace(head, config=shape).build(),
            head_config=shape,
            classes=names,
            features=FeatureConfig()
            if modality is None
            else FeatureConfig(modalities=modality, depth="official"),
            loss=loss,
            weights=weights_fingerprint(model),
        )

    def save(self, path: str | Path) -> None:
        """Write one .safetensors file with the description in its header, atomically."""
        tensors = {name: value.detach().cpu() for name, value in self.head.state_dict().items()}
        about = {
            "head": self.head_config.model_dump(mode="json"),
            "classes": list(self.classes),
            "features": self.features.model_dump(mode="json"),
            "loss": self.loss,
            "weights": self.weights,
            "model_path": self.model_path,
        }
        write_safetensors(Path(path), tensors, metadata={"format": _FORMAT, "probe": json.dumps(about)})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a probe, on the CPU. Nothing in the file is executed.

        Args:
            path: The file, or the folder of a probing run.

        Raises:
            WeightsError: The file is missing, damaged or not a probe.
        """
        path = Path(path)
        path = path / PROBE_FILE if path.is_dir() else path
        if not path.is_file():
            raise WeightsError(
                f"{path} does not exist. Give the folder of `cavmae-sync probe --out`, or its {PROBE_FILE}."
            )
        try:
            with safe_open(path, framework="pt") as opened:
                metadata: Mapping[str, str] = opened.metadata() or {}
                state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a dict)
        except SafetensorError as error:
            raise WeightsError(f"{path} is not a safetensors file ({error}). Give a {PROBE_FILE}.") from error
        if metadata.get("format") != _FORMAT:
            found = metadata.get("format", "no format")
            raise WeightsError(
                f"{path} is not a probe: its header says {found!r}, not {_FORMAT!r}. Give a {PROBE_FILE}."
            )
        try:
            return cls._described(parse_json(metadata["probe"]), state)
        except (KeyError, TypeError, ValueError, RuntimeError, ValidationError) as error:
            raise WeightsError(f"{path} is a damaged probe ({error}). Train it again.") from error

    @classmethod
    def _described(cls, about: Mapping[str, Any], state: Mapping[str, Tensor]) -> Self:
        head_config = HeadConfig.model_validate(about["head"])
        classes, loss, weights, model_path = (about[name] for name in _DESCRIBED)
        if not (isinstance(classes, list) and all(isinstance(name, str) and name for name in classes)):
            raise ValueError("its classes are not a list of names")
        if len(set(classes)) != len(classes):
            raise ValueError("two of its classes have the same name")
        if any(not name.isprintable() for name in classes):
            raise ValueError("the name of a class has characters that cannot be printed")
        if loss not in get_args(ClassLoss):
            raise ValueError(f"its loss is {loss!r}, not one of {', '.join(get_args(ClassLoss))}")
        if not isinstance(weights, str) or not isinstance(model_path, str | None):
            raise TypeError("the model it was trained on is not described by text")
        return cls(
            head=_filled(head_config, state),
            head_config=head_config,
            classes=tuple(classes),
            features=FeatureConfig.model_validate(about["features"]),
            loss=loss,
            weights=weights,
            model_path=model_path,
        )


def _problems_of_classes(num_names: int, num_classes: int, loss: ClassLoss | None) -> Iterator[str]:
    if num_names != num_classes:
        yield f"The list names {num_names} classes, but the classifier has {num_classes}. Give its list."
    if loss is None:
        yield (
            f"A classifier of {num_classes} classes is neither AudioSet's nor VGGSound's. Say how it was "
            "trained: --loss bce (several labels per clip) or --loss ce (one)."
        )


def _problems_of_modality(modality: Modality | None, *, is_of_both: bool) -> Iterator[str]:
    if is_of_both and modality is not None:
        yield "The head takes both modalities. Leave --modality out."
    if not is_of_both and modality is None:
        yield (
            "The head takes one modality, and its weights do not show which. Give --modality audio or "
            "--modality visual."
        )


def _problems_of_heads(heads: int | None, width: int) -> Iterator[str]:
    if heads is None:
        yield (
            f"The weights of a classifier of width {width} do not show its attention heads, and none is "
            f"published ({' and '.join(map(str, CLASSIFIER_HEADS))} have 12). Give --classifier-heads N."
        )
    elif width % heads:
        yield f"--classifier-heads {heads}: the classifier's width {width} must be a multiple of it."


def _filled(config: HeadConfig, state: Mapping[str, Tensor]) -> Head:
    """Head with given weights.

    It is built without memory and takes the tensors of the file: a damaged description cannot ask for more.
    """
    if config.depth > max(len(state), HeadConfig.model_fields["depth"].default):
        raise ValueError(f"{len(state)} tensors are too few for a head of depth {config.depth}")
    bad = [
        name for name, value in state.items() if not (value.is_floating_point() and value.isfinite().all())
    ]
    if bad:
        raise ValueError(f"{', '.join(bad)} holds values that are not finite")
    with torch.device("meta"):
        head = make_head(config)
    head.load_state_dict({name: value.float() for name, value in state.items()}, strict=True, assign=True)
    return head
