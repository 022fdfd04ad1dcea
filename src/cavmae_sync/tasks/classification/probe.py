"""A trained classifier: a head, what its outputs mean, and what it must be fed.

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
KNOWN_LOSSES: Final[Mapping[int, ClassLoss]] = {NUM_AUDIOSET_CLASSES: "bce", NUM_VGGSOUND_CLASSES: "ce"}
_DESCRIBED: Final = ("classes", "loss", "weights", "model_path")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Probe:
    """A head on the features of one backbone.

    Attributes:
        head: Features to logits, in evaluation mode.
        head_config: Its shape.
        classes: Name of each class, in the order of its outputs.
        features: What the head must be fed.
        loss: "bce" decides each class by itself, "ce" chooses one class.
        weights: Fingerprint of the backbone it was trained on; on another it is worthless.
        model_path: Where the backbone lay, for people; None where that is not known.
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
                f"A head with {self.head_config.num_classes} outputs needs as many names, "
                f"got {len(self.classes)}."
            )
        self.head.eval()

    @torch.no_grad()
    def probabilities(self, features_BTD: Tensor) -> Tensor:
        """How sure the probe is of each class.

        Args:
            features_BTD: Of clips with any number of frames, any floating dtype.

        Returns:
            float64 `[B, C]` on the CPU, in [0, 1]: for "bce" each class by itself, for "ce" rows of sum 1.

        Raises:
            ValueError: The features are of another width.
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
        """Refuse the features of another backbone.

        Args:
            fingerprint: `weights_fingerprint` of the model whose features it would be fed.

        Raises:
            WeightsError: It is not the model that the probe was trained on.
        """
        if fingerprint != self.weights:
            origin = "" if self.model_path is None else f", which lay in {self.model_path}"
            raise WeightsError(
                f"The probe was trained on weights {self.weights[:12]}{origin}; this model has weights "
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
        """The head of a classifier that the authors fine-tuned, on its own backbone (spec 2.10).

        Args:
            head: What was read beside the backbone.
            model: The backbone.
            classes: Name of each class; None names them by their numbers.
            loss: How it was trained; None takes "bce" for the 527 classes of AudioSet and "ce" for the 309 of
                VGGSound.
            modality: What a head of the width of one modality is fed. Its feature is the released code's: the
                mean of all tokens behind the joint layer, with the norms of the joint pass.
            heads: Attention heads of its blocks; None takes the 12 of the published widths.

        Raises:
            ConfigError: The number of names is another one; or loss, modality or heads are not shown and not
                given.
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
        """Write one .safetensors file with the description in its header, whole or not at all."""
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
            WeightsError: It is missing, damaged or no probe.
        """
        path = Path(path)
        path = path / PROBE_FILE if path.is_dir() else path
        if not path.is_file():
            raise WeightsError(
                f"{path} does not exist. Give the folder that `cavmae-sync probe --out` named, or its "
                f"{PROBE_FILE}."
            )
        try:
            with safe_open(path, framework="pt") as opened:
                metadata: Mapping[str, str] = opened.metadata() or {}
                state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a dict)
        except SafetensorError as error:
            raise WeightsError(f"{path} is not a safetensors file ({error}).") from error
        if metadata.get("format") != _FORMAT:
            found = metadata.get("format", "no format")
            raise WeightsError(f"{path} carries {found!r} in its header, a probe carries {_FORMAT!r}.")
        try:
            return cls._described(parse_json(metadata["probe"]), state)
        except (KeyError, TypeError, ValueError, RuntimeError, ValidationError) as error:
            raise WeightsError(f"{path} is a damaged probe ({error}). Train it again.") from error

    @classmethod
    def _described(cls, about: Mapping[str, Any], state: Mapping[str, Tensor]) -> Self:
        head_config = HeadConfig.model_validate(about["head"])
        classes, loss, weights, model_path = (about[name] for name in _DESCRIBED)
        if not (isinstance(classes, list) and all(isinstance(name, str) and name for name in classes)):
            raise ValueError("its classes are no list of names")
        if len(set(classes)) != len(classes):
            raise ValueError("two of its classes have one name")
        if any(not name.isprintable() for name in classes):
            raise ValueError("a name of a class has characters that cannot be printed")
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
        yield f"The list names {num_names} classes, the classifier has {num_classes}. Give its own."
    if loss is None:
        yield (
            f"A classifier of {num_classes} classes, neither AudioSet's nor VGGSound's: say how it "
            "was trained with --loss bce (several labels per clip) or --loss ce (one)."
        )


def _problems_of_modality(modality: Modality | None, *, is_of_both: bool) -> Iterator[str]:
    if is_of_both and modality is not None:
        yield "The head is fed both modalities: leave --modality out."
    if not is_of_both and modality is None:
        yield (
            "The head is fed one modality, and no tensor shows which: say --modality audio or "
            "--modality visual."
        )


def _problems_of_heads(heads: int | None, width: int) -> Iterator[str]:
    if heads is None:
        yield (
            f"No tensor shows how many attention heads a classifier of width {width} has, and no published "
            f"one tells ({' and '.join(map(str, CLASSIFIER_HEADS))} have 12): say --classifier-heads N."
        )
    elif width % heads:
        yield f"--classifier-heads {heads}: the classifier's width {width} must be a multiple of it."


def _filled(config: HeadConfig, state: Mapping[str, Tensor]) -> Head:
    """The head of these weights. Takes no more memory than they do, whatever the description says."""
    if config.depth > max(len(state), HeadConfig.model_fields["depth"].default):
        raise ValueError(f"{len(state)} tensors are too few for a head of depth {config.depth}")
    bad = [
        name for name, value in state.items() if not (value.is_floating_point() and value.isfinite().all())
    ]
    if bad:
        raise ValueError(f"{', '.join(bad)} holds values that are no finite numbers")
    with torch.device("meta"):
        head = make_head(config)
    head.load_state_dict({name: value.float() for name, value in state.items()}, strict=True, assign=True)
    return head
