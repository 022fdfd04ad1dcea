"""Catalogue of faults between a clip and its vectors, and how each is undone.

Most are well known and have cost somebody a result. A fault is found by undoing it: if sound and picture
agree better with the fault undone than as they are, the fault is there, in the data or in the weights. To
explain vectors of another program, the same faults are planted instead.

Letters: P frames or segments, C channels, H W pixels, L spectrogram frames, M mel bins, T frames of a
clip, S samples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import resample_poly
from torch import Tensor

from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import CAVMAESync
from cavmae_sync.paper import CAVMAE_NUM_FRAMES, NUM_FRAMES, RGB_MEAN, RGB_STD
from cavmae_sync.weights import reconfigured

#: 44.1 kHz, the sample rate of most videos, over the model's 16 kHz: numerator and denominator.
_VIDEO_RATE: Final = (441, 160)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """Change on the way from clips to vectors. None leaves a step as it is.

    Attributes:
        frames: Function from normalised frames_PCHW to changed ones.
        segments: Function from normalised segments_PLM to changed ones.
        waveform: Function from sound at 16 kHz to changed sound.
        model: Function from a model to a changed one.
        frame_order: Function from T to the index of the frame that is shown in each place.
        sound_times: (k, n): frame i is paired with the sound at frame i * k / n.
        clip_shift: Frames of a clip are compared with the sound of the clip this many places later.
        covered: Share of the clip, from its start, for which there is sound after the change.
    """

    frames: Callable[[Tensor], Tensor] | None = None
    segments: Callable[[Tensor, InputConfig], Tensor] | None = None
    waveform: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None
    model: Callable[[CAVMAESync], CAVMAESync] | None = None
    frame_order: Callable[[int], Sequence[int]] | None = None
    sound_times: tuple[int, int] = (1, 1)
    clip_shift: int = 0
    covered: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A known fault.

    Attributes:
        name: Short name, for programs.
        seems: Diagnosis in words, for the report.
        advice: What to do about it.
        planted: Change that plants it in right inputs; None where it cannot be planted.
        undone: Change that undoes it; None where it cannot be undone.
        applies: Whether it can occur with this model and this number of frames per clip.
    """

    name: str
    seems: str
    advice: str
    planted: Change | None = None
    undone: Change | None = None
    applies: Callable[[CAVMAESync, int], bool] = lambda _model, _num_frames: True


def _mean_std(like: Tensor) -> tuple[Tensor, Tensor]:
    mean, std = (torch.tensor(values, device=like.device).view(3, 1, 1) for values in (RGB_MEAN, RGB_STD))
    return mean, std


def _to_unit_range(frames_PCHW: Tensor) -> Tensor:
    mean_CHW, std_CHW = _mean_std(frames_PCHW)
    return frames_PCHW * std_CHW + mean_CHW


def _from_unit_range(frames_PCHW: Tensor) -> Tensor:
    mean_CHW, std_CHW = _mean_std(frames_PCHW)
    return (frames_PCHW - mean_CHW) / std_CHW


def _faster(waveform_S: NDArray[np.float32]) -> NDArray[np.float32]:
    return resample_poly(waveform_S, _VIDEO_RATE[1], _VIDEO_RATE[0]).astype(np.float32)


def _slower(waveform_S: NDArray[np.float32]) -> NDArray[np.float32]:
    return resample_poly(waveform_S, *_VIDEO_RATE).astype(np.float32)


def swap_norms(model: CAVMAESync) -> CAVMAESync:
    """Model whose joint layer has the norms of sound and picture swapped."""
    swapped = reconfigured(model, model.config)
    swapped.load_state_dict({_other_side(name): value for name, value in model.state_dict().items()})
    return swapped.to(next(model.parameters()).device)


def _other_side(name: str) -> str:
    parts = name.split(".")
    if parts[0] == "joint" and "norm" in parts[-2] and parts[-2][-2:] in {"_a", "_v"}:
        parts[-2] = parts[-2][:-1] + ("v" if parts[-2].endswith("a") else "a")
    return ".".join(parts)


def drop_registers(model: CAVMAESync) -> CAVMAESync:
    """Model without its registers."""
    config = model.config.model_copy(update={"registers": 0})
    fresh = CAVMAESync(config, generator=torch.Generator().manual_seed(0))
    fresh.load_state_dict({k: v for k, v in model.state_dict().items() if not k.endswith(".registers")})
    return fresh.eval().to(next(model.parameters()).device)


def switch_registers_in_joint(model: CAVMAESync) -> CAVMAESync:
    """Model with registers in the joint layer if it has none there, and without them if it has."""
    config = model.config.model_copy(update={"registers_in_joint": not model.config.registers_in_joint})
    return reconfigured(model, config).to(next(model.parameters()).device)


def _reversed(num_frames: int) -> list[int]:
    return list(range(num_frames))[::-1]


def _by_name(num_frames: int) -> list[int]:
    """Frames in the order of their file names: 0, 1, 10, 11, ..., 2, 3."""
    return sorted(range(num_frames), key=str)


def _back_from_names(num_frames: int) -> list[int]:
    order = _by_name(num_frames)
    return [order.index(frame) for frame in range(num_frames)]


def _first_frames(num_frames: int) -> list[int]:
    return [frame * CAVMAE_NUM_FRAMES // NUM_FRAMES for frame in range(num_frames)]


def _denormalised(segments_PLM: Tensor, inputs: InputConfig) -> Tensor:
    return segments_PLM * inputs.spectrogram_std + inputs.spectrogram_mean


def _normalised_again(segments_PLM: Tensor, inputs: InputConfig) -> Tensor:
    return (segments_PLM - inputs.spectrogram_mean) / inputs.spectrogram_std


def _has_registers(model: CAVMAESync, _num_frames: int) -> bool:
    return model.config.registers > 0


def _has_two_digit_frames(_model: CAVMAESync, num_frames: int) -> bool:
    return num_frames > 10


_SWAP_COLOURS: Final = Change(frames=lambda frames_PCHW: frames_PCHW.flip(1))
_HALVE: Final = Change(segments=lambda segments_PLM, _: segments_PLM / 2)
_DOUBLE: Final = Change(segments=lambda segments_PLM, _: segments_PLM * 2)
_UNIT_RANGE: Final = Change(frames=_to_unit_range)
_NORMALISE: Final = Change(frames=_from_unit_range)
_REVERSE: Final = Change(frame_order=_reversed)
_FLIP_MELS: Final = Change(segments=lambda segments_PLM, _: segments_PLM.flip(-1))

FAULTS: Final[tuple[Fault, ...]] = (
    Fault(
        name="twice_the_deviation",
        seems="the spectrogram seems to be divided by twice its deviation, as CAV-MAE's older code does",
        advice="Divide by the deviation alone: (log-mel + 5.081) / 4.4849 for published weights",
        planted=_HALVE,
        undone=_DOUBLE,
    ),
    Fault(
        name="half_the_deviation",
        seems="the spectrogram seems to be twice as strong as what the weights were trained with; CAV-MAE's "
        "older code trains with twice the deviation",
        advice="Write what they were trained with into the header of the weights: inputs.spectrogram_std",
        planted=_DOUBLE,
        undone=_HALVE,
    ),
    Fault(
        name="spectrogram_not_normalised",
        seems="the spectrogram seems not to be normalised",
        advice="Subtract the mean, divide by the deviation: (log-mel + 5.081) / 4.4849 for published weights",
        planted=Change(segments=_denormalised),
        undone=Change(segments=_normalised_again),
    ),
    Fault(
        name="pictures_not_normalised",
        seems="the frames seem to lack the ImageNet normalisation",
        advice="Subtract 0.485, 0.456, 0.406 and divide by 0.229, 0.224, 0.225 after scaling to [0, 1]",
        planted=_UNIT_RANGE,
        undone=_NORMALISE,
    ),
    Fault(
        name="pictures_normalised_twice",
        seems="the frames seem to be normalised once more than for the weights' training",
        advice="Look for a second ImageNet normalisation, or for weights that were trained without one",
        planted=_NORMALISE,
        undone=_UNIT_RANGE,
    ),
    Fault(
        name="colours_swapped",
        seems="the frames seem to have red and blue swapped",
        advice="Convert BGR (OpenCV) to RGB where the frames are extracted",
        planted=_SWAP_COLOURS,
        undone=_SWAP_COLOURS,
    ),
    Fault(
        name="rate_44100_read_as_16000",
        seems="the sound seems to be 44.1 kHz samples that were read as 16 kHz: 2.76 times too slow and low",
        advice="Resample to 16 kHz; do not only write another rate into the file",
        planted=Change(waveform=_slower),
        undone=Change(waveform=_faster, covered=_VIDEO_RATE[1] / _VIDEO_RATE[0]),
    ),
    Fault(
        name="rate_16000_read_as_44100",
        seems="the sound seems to be 16 kHz samples that were read as 44.1 kHz: 2.76 times too fast and high",
        advice="Look for a wrong rate in the headers of the sound files and prepare the dataset again",
        planted=Change(waveform=_faster, covered=_VIDEO_RATE[1] / _VIDEO_RATE[0]),
        undone=Change(waveform=_slower),
    ),
    Fault(
        name="frequencies_flipped",
        seems="the mel bins seem to be upside down",
        advice="Bin 0 is the lowest; turn the spectrogram round",
        planted=_FLIP_MELS,
        undone=_FLIP_MELS,
    ),
    Fault(
        name="norms_swapped",
        seems="the norms of sound and picture in the joint layer seem to be swapped",
        advice="Convert the original weights again: norm_a, norm_v, norm1_a, norm1_v, norm2_a, norm2_v",
        planted=Change(model=swap_norms),
        undone=Change(model=swap_norms),
    ),
    Fault(
        name="registers_dropped",
        seems="the registers seem to be left out",
        advice="Load register_tokens too; a loader that is not strict drops them without a word",
        planted=Change(model=drop_registers),
        applies=_has_registers,
    ),
    Fault(
        name="registers_in_joint",
        seems="the registers seem to belong on the other side of the joint layer",
        advice="Give the word registers_in_joint=true, or false",
        planted=Change(model=switch_registers_in_joint),
        undone=Change(model=switch_registers_in_joint),
        applies=_has_registers,
    ),
    Fault(
        name="frames_reversed",
        seems="the frames seem to be in reversed order",
        advice="Sort the frames by their time",
        planted=_REVERSE,
        undone=_REVERSE,
    ),
    Fault(
        name="frames_sorted_by_name",
        seems="the frames seem to be sorted by name (0, 1, 10, 11, ..., 2)",
        advice="Sort by number, not by text",
        planted=Change(frame_order=_by_name),
        undone=Change(frame_order=_back_from_names),
        applies=_has_two_digit_frames,
    ),
    Fault(
        name="first_frames_only",
        seems="the frames seem to cover only the first 10/16 of the clip: ten of sixteen",
        advice="Extract 16 frames over the whole clip; CAV-MAE's extractor writes 10",
        planted=Change(frame_order=_first_frames),
        # The missing frames cannot be had back: the sound goes to where the frames are instead.
        undone=Change(sound_times=(CAVMAE_NUM_FRAMES, NUM_FRAMES)),
    ),
    Fault(
        name="sound_of_previous_clip",
        seems="frames seem to have the sound of the clip before it in the list",
        advice="Compare the order of the two lists that were joined; join them by id",
        planted=Change(clip_shift=-1),
        undone=Change(clip_shift=1),
    ),
    Fault(
        name="sound_of_next_clip",
        seems="frames seem to have the sound of the clip after it in the list",
        advice="Compare the order of the two lists that were joined; join them by id",
        planted=Change(clip_shift=1),
        undone=Change(clip_shift=-1),
    ),
)
