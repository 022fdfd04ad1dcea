"""Conversion of weights of any layout into ours, and of ours back into the layout they came from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from cavmae_sync.atomic import written_whole
from cavmae_sync.choices import ClassLoss, Layout
from cavmae_sync.data.lists.classes import read_class_labels
from cavmae_sync.embedding.embedder import Embedder
from cavmae_sync.errors import ConfigError
from cavmae_sync.exchange.conversion import Conversion
from cavmae_sync.exchange.proof import make_proof
from cavmae_sync.model import Modality, ModelConfig
from cavmae_sync.model.heads import Head
from cavmae_sync.paper import CAVMAE_NUM_FRAMES, NUM_FRAMES
from cavmae_sync.tasks.classification.probe import KNOWN_LOSSES, PROBE_FILE, Probe
from cavmae_sync.training import weights_of
from cavmae_sync.weights import Provenance, load_weights, save_model, weights_fingerprint
from cavmae_sync.weights.layouts.check import CLASSIFIER_HEADS
from cavmae_sync.weights.layouts.official import to_official
from cavmae_sync.weights.layouts.original import Original
from cavmae_sync.weights.load import LoadedWeights
from cavmae_sync.weights.provenance import sha256_of
from cavmae_sync.weights.save import write_safetensors

WEIGHTS_FILE: Final = "weights.safetensors"
#: Fields of a model's configuration that the tensors of other layouts do not show.
_UNSEEN: Final = (
    "heads",
    "decoder.heads",
    "registers_in_joint",
    "inputs.alignment",
    "inputs.spectrogram_mean",
    "inputs.spectrogram_std",
)
_OWN_LICENCE: Final = "not stated: weights trained here are yours to license (--licence)"


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadOptions:
    """Settings of a fine-tuned classifier that its tensors do not show.

    Attributes:
        classes: CSV of class names (index,mid,display_name); None names classes by their numbers.
        loss: Loss of its training; None takes it from the number of classes.
        modality: Modality that a head on one modality reads.
        heads: Attention heads of its blocks; None takes the 12 of the published widths.
    """

    classes: Path | None = None
    loss: ClassLoss | None = None
    modality: Modality | None = None
    heads: int | None = None


def convert(
    source: Path,
    target: Path,
    *,
    overrides: Sequence[str] = (),
    head: HeadOptions | None = None,
    licence: str | None = None,
    num_frames: int | None = None,
    seed: int = 0,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> Conversion:
    """Read weights of any layout and write ours: configuration, provenance and proof in the header.

    Args:
        source: A file of any layout, the folder of a run, or a name on a hub.
        target: `.safetensors`; for a fine-tuned classifier a folder, which gets weights and probe.
        overrides: `key=value` words for settings that the tensors do not show.
        head: Settings of a fine-tuned classifier that its tensors do not show.
        licence: Licence to record instead of the one known for the layout.
        num_frames: Frames of each clip in training, instead of the number known for the layout.
        seed: Seed of the parameters that an ImageNet MAE does not have.
        on_progress: Called before each step with steps done, all steps, and the name of the next one.

    Raises:
        WeightsError: The file holds no weights, or does not fit its layout exactly.
        ConfigError: A word or option does not fit, or the target is a file where a folder is needed.
    """
    tell = on_progress or (lambda *_: None)
    tell(0, 3, "reading")
    path = weights_of(source)
    loaded = load_weights(path, overrides=overrides, seed=seed)
    _check_target(target, loaded)
    tell(1, 3, "proving what it computes")
    about = _provenance(path, loaded, licence=licence, num_frames=num_frames)
    if not loaded.fresh:  # vectors of random parameters would prove nothing
        about = about.model_copy(update={"proof": make_proof(Embedder(loaded.model))})
    probe = _probe(loaded, head or HeadOptions())
    tell(2, 3, "writing")
    original = _original(loaded, None if probe is None else probe.head)
    if probe is None:
        written = (target,)
    else:
        target.mkdir(parents=True, exist_ok=True)
        written = (target / WEIGHTS_FILE, target / PROBE_FILE)
        probe.save(written[1])
    save_model(loaded.model, written[0], provenance=about, original=original)
    tell(3, 3, "")
    done = _conversion(loaded, about, written=written, written_layout="ours", original=original, probe=probe)
    return replace(done, assumed=_assumed(loaded, overrides, head or HeadOptions()))


def convert_back(source: Path, target: Path, *, overrides: Sequence[str] = (), seed: int = 0) -> Conversion:
    """Write weights in the layout they came from; weights that were trained here, in the authors' layout.

    Weights from a file of another layout that were not trained since come back bit for bit: names, order,
    types, values.

    Args:
        source: One of our files; the folder of a fine-tuned classifier or of a run; or a file of any layout.
        target: `.pth`, or `.safetensors` with the names of that layout.
        overrides: `key=value` words for settings that the tensors do not show.
        seed: Seed of the parameters that an ImageNet MAE does not have.

    Raises:
        WeightsError: The file holds no weights, or does not fit its layout exactly; or a probe is missing.
    """
    probe_file = source / PROBE_FILE if source.is_dir() else source.with_name(PROBE_FILE)
    is_folder = source.is_dir() and (source / WEIGHTS_FILE).is_file() and probe_file.is_file()
    path = source / WEIGHTS_FILE if is_folder else weights_of(source)
    loaded = load_weights(path, overrides=overrides, seed=seed)
    head = _head_of(loaded, probe_file)
    original = _original(loaded, head)
    tensors = to_official(loaded.model) if original is None else original.give_back(loaded.model, head)
    _write_original(tensors, target, wrapper=None if original is None else original.wrapper)
    return _conversion(
        loaded,
        _provenance(path, loaded, licence=None, num_frames=None),
        written=(target,),
        written_layout=_official_layout(loaded.model.config) if original is None else original.layout,
        original=original,
    )


def _check_target(target: Path, loaded: LoadedWeights) -> None:
    if loaded.read.head is None:
        if target.suffix != ".safetensors" or target.is_dir() or not target.absolute().parent.is_dir():
            raise ConfigError(f"--out {target} must be a .safetensors file in a folder that exists.")
    elif target.suffix in (".safetensors", ".pth") or target.is_file():
        raise ConfigError(
            f"--out {target} must be a folder: a fine-tuned classifier becomes {WEIGHTS_FILE} and "
            f"{PROBE_FILE}, which `cavmae-sync classify VIDEO --probe FOLDER` takes together."
        )


def _provenance(
    path: Path, loaded: LoadedWeights, *, licence: str | None, num_frames: int | None
) -> Provenance:
    read = loaded.read
    if read.layout != "ours":
        about = Provenance.of_file(path, layout=read.layout)
        known = {"sync": NUM_FRAMES, "cavmae": CAVMAE_NUM_FRAMES}
        if read.layout == "finetuned":
            known["finetuned"] = NUM_FRAMES if read.config.global_token else CAVMAE_NUM_FRAMES
        about = about.model_copy(update={"num_frames": known.get(read.layout)})
    else:
        about = read.provenance or Provenance()
        if about.source_name is None:
            found = {
                "source_name": path.name,
                "source_sha256": sha256_of(path),
                "source_num_bytes": path.stat().st_size,
            }
            about = about.model_copy(update={"licence": about.licence or _OWN_LICENCE} | found)
    given = {"licence": licence, "num_frames": num_frames}
    return about.model_copy(update={name: value for name, value in given.items() if value is not None})


def _probe(loaded: LoadedWeights, options: HeadOptions) -> Probe | None:
    if loaded.read.head is None:
        if options != HeadOptions():
            raise ConfigError(
                "Class names, loss, modality and heads describe the head of a fine-tuned classifier. These "
                "weights have none: leave the options out."
            )
        return None
    return Probe.of_finetuned(
        loaded.read.head,
        loaded.model,
        classes=None if options.classes is None else read_class_labels(options.classes).names,
        loss=options.loss,
        modality=options.modality,
        heads=options.heads,
    )


def _assumed(loaded: LoadedWeights, overrides: Sequence[str], options: HeadOptions) -> dict[str, str]:
    """Settings that neither the tensors of another layout nor the words of the user give."""
    if loaded.read.layout == "ours":
        return {}
    said = {word.partition("=")[0] for word in overrides}
    config = loaded.model.config.model_dump(mode="json")
    found: dict[str, str] = {}
    for name in _UNSEEN:
        group, _, field_name = name.rpartition(".")
        values = config[group] if group else config
        if name not in said and values is not None:
            value = values[field_name]
            found[name] = str(value).lower() if isinstance(value, bool) else str(value)
    if loaded.read.head is not None and options.heads is None:
        found["--classifier-heads"] = str(CLASSIFIER_HEADS[loaded.read.head.config.width])
    if loaded.read.head is not None and options.loss is None:
        found["--loss"] = KNOWN_LOSSES[loaded.read.head.config.num_classes]
    return found


def _original(loaded: LoadedWeights, head: Head | None) -> Original | None:
    read = loaded.read
    if read.layout == "ours":
        return read.original
    return Original.of(read.file, layout=read.layout, model=loaded.model, head=head)


def _head_of(loaded: LoadedWeights, probe_file: Path) -> Head | None:
    if loaded.read.head is not None:
        return loaded.read.head.build()
    original = loaded.read.original
    is_finetuned = original is not None and original.layout == "finetuned"
    return Probe.load(probe_file).head if is_finetuned and probe_file.is_file() else None


def _write_original(tensors: dict[str, Tensor], target: Path, *, wrapper: str | None) -> None:
    if target.suffix == ".safetensors":
        write_safetensors(target, tensors, metadata={"format": "pt"})
        return
    with written_whole(target) as part:
        torch.save(tensors if wrapper is None else {wrapper: tensors}, part)


def _conversion(
    loaded: LoadedWeights,
    about: Provenance,
    *,
    written: tuple[Path, ...],
    written_layout: Layout,
    original: Original | None,
    probe: Probe | None = None,
) -> Conversion:
    tensors = loaded.read.file.tensors
    return Conversion(
        written=written,
        layout=loaded.read.layout,
        written_layout=written_layout,
        config=loaded.model.config,
        provenance=about,
        weights=weights_fingerprint(loaded.model),
        num_tensors=len(tensors),
        num_values=sum(value.numel() for value in tensors.values()),
        fresh=loaded.fresh,
        kept=() if original is None else tuple(original.kept),
        left_behind=loaded.read.file.other_entries,
        head=None if probe is None else probe.head_config,
    )


def _official_layout(config: ModelConfig) -> Layout:
    return "sync" if config.global_token or config.registers else "cavmae"
