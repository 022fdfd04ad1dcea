"""Checks on weights alone; no clip is needed."""

from typing import Final

import torch
from torch import nn

from cavmae_sync.doctor.examined_model import ExaminedModel
from cavmae_sync.doctor.known_files import known_file, known_file_of_size
from cavmae_sync.doctor.report import Finding
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import ModelConfig
from cavmae_sync.paper import NUM_REGISTERS, SPECTROGRAM_MEAN, SPECTROGRAM_STD
from cavmae_sync.weights import weights_fingerprint

_SHOWN_DIGITS: Final = 12
#: Difference below which constants are equal: files give them with five digits.
_SAME: Final = 1e-3


def check_file(examined: ExaminedModel) -> Finding:
    """Finding on the file: fingerprint, source, and whether the file is known."""
    came = examined.provenance
    ours = f"fingerprint {weights_fingerprint(examined.model)[:_SHOWN_DIGITS]}"
    if came.trained_on is not None:
        return Finding(check="file", status="note", measured=f"{ours}; trained on {came.trained_on}")
    if came.source_sha256 is None:
        return Finding(check="file", status="ok", measured=f"{ours}; trained here, no source file")
    source = (
        f"{came.source_name}, {came.source_num_bytes:,} bytes, sha256 {came.source_sha256[:_SHOWN_DIGITS]}"
    )
    if (known := known_file(came.source_sha256)) is not None:
        return Finding(check="file", status="note", measured=f"{source}; {ours}; {known.says}")
    if known_file_of_size(came.source_num_bytes) is not None:
        return Finding(
            check="file",
            status="note",
            measured=f"{source}; {ours}; it has the size of a known file and other content",
            advice="Download it again if it should be that file",
        )
    return Finding(check="file", status="ok", measured=f"{source}; {ours}; nothing is known of this file")


def check_layout(examined: ExaminedModel) -> Finding:
    """Check of the layout; loading has already matched all names and shapes exactly."""
    config = examined.model.config
    shape = (
        f"{examined.provenance.layout} layout, width {config.width}, {config.depth} + {config.joint_depth} "
        f"blocks, segments of {config.inputs.segment_length}, {config.registers} registers, "
        f"{'a' if config.global_token else 'no'} global token"
    )
    is_meant = "registers=0" in examined.words
    if examined.is_published and config.global_token and not config.registers and not is_meant:
        return Finding(
            check="layout",
            status="FAIL",
            measured=f"{shape}: global tokens without registers",
            needed=f"{NUM_REGISTERS} registers of each modality, as in the published Sync weights",
            advice="register_tokens was dropped on the way, perhaps by a loader that is not strict. Take the "
            "original file; for an ablation that was trained without registers add the word registers=0",
        )
    if examined.provenance.layout == "cavmae":
        return Finding(
            check="layout",
            status="note",
            measured=f"{shape}: this is plain CAV-MAE, not CAV-MAE Sync",
            advice="It gives one vector per sound of 10 s. If you wanted Sync, this is the wrong file",
        )
    return Finding(check="layout", status="ok", measured=f"{shape}; every name and shape is matched")


def check_finite(examined: ExaminedModel) -> Finding:
    """Check that no weight is NaN or infinite."""
    state = examined.model.state_dict()
    broken = [name for name, value in state.items() if not bool(value.isfinite().all())]
    if broken:
        return Finding(
            check="finite weights",
            status="FAIL",
            measured=f"{len(broken)} of {len(state)} tensors hold NaN or infinity, the first is {broken[0]}",
            advice="The file is damaged or the training diverged. Take an earlier checkpoint",
        )
    values = sum(value.numel() for value in state.values())
    return Finding(check="finite weights", status="ok", measured=f"{len(state)} tensors, {values:,} values")


def check_trained(examined: ExaminedModel) -> Finding:
    """Check that the weights were trained: untrained ones are recognised without data."""
    model = examined.model
    norms = [module for module in model.modules() if isinstance(module, nn.LayerNorm)]
    if all(bool((norm.weight == 1).all()) and bool((norm.bias == 0).all()) for norm in norms):
        return Finding(
            check="trained",
            status="FAIL",
            measured=f"all {len(norms)} layer norms are exactly as initialised (1 and 0): fresh weights",
            advice="Nothing was loaded, or nothing was trained. Give trained weights",
        )
    pairs = zip(model.audio.blocks.parameters(), model.visual.blocks.parameters(), strict=True)
    if all(torch.equal(audio, visual) for audio, visual in pairs):
        return Finding(
            check="trained",
            status="FAIL",
            measured="the blocks of both encoders are bit for bit the same: a start from ImageNet MAE",
            advice="These weights were never trained on sound. Pretrain from them first",
        )
    return Finding(check="trained", status="ok", measured="norms and encoders differ from any initial state")


def check_constants(examined: ExaminedModel) -> Finding:
    """Check that inputs are normalised as in the training of these weights.

    The reference is the configuration in the file. Published files have none, so for them the published
    constants are the reference.
    """
    made, used = examined.made_with.inputs, examined.model.config.inputs
    if examined.is_published:
        made = made.model_copy(
            update={"spectrogram_mean": SPECTROGRAM_MEAN, "spectrogram_std": SPECTROGRAM_STD}
        )
    source = "published" if examined.is_published else "in the header"
    if differences := _differences(made, used):
        return Finding(
            check="constants",
            status="FAIL",
            measured="; ".join(differences),
            needed=f"mean {made.spectrogram_mean:g}, deviation {made.spectrogram_std:g} ({source})",
            advice="Leave the words out that change them, or, if the header is wrong, write the right values "
            "into it when you convert",
        )
    is_own = _differences(
        InputConfig(frame_pixels=made.frame_pixels, segment_length=made.segment_length), made
    )
    return Finding(
        check="constants",
        status="note" if is_own or _other_words(examined.made_with, examined.model.config) else "ok",
        measured=f"spectrogram mean {used.spectrogram_mean:g}, deviation {used.spectrogram_std:g} ({source}"
        f"{', not the published' if is_own else ''}); 16 kHz, ImageNet statistics for pictures"
        f"{_other_words(examined.made_with, examined.model.config)}",
    )


def _differences(made: InputConfig, used: InputConfig) -> list[str]:
    found: list[str] = []
    if abs(used.spectrogram_mean - made.spectrogram_mean) > _SAME:
        found.append(f"inputs.spectrogram_mean={used.spectrogram_mean:g}")
    ratio = used.spectrogram_std / made.spectrogram_std
    if abs(used.spectrogram_std - made.spectrogram_std) > _SAME:
        twice = "twice the deviation, as CAV-MAE's older code divides"
        times = twice if abs(ratio - 2) < 0.01 else f"{ratio:.3g} times the deviation"
        found.append(f"inputs.spectrogram_std={used.spectrogram_std:g}, {times}")
    return found


def _other_words(made: ModelConfig, used: ModelConfig) -> str:
    """Allowed settings that an override changed, as text."""
    before = {**made.model_dump(), **made.inputs.model_dump()}
    after = {**used.model_dump(), **used.inputs.model_dump()}
    names = [
        f"{name}={after[name]}"
        for name in ("alignment", "registers_in_joint", "segment_length", "frame_pixels", "heads")
        if before[name] != after[name]
    ]
    return f"; by your words {', '.join(names)}" if names else ""
