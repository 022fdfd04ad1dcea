"""Frames of generated clips as examples: among the visible objects, find those that sound.

Letters: K windows of a prompt (here one), L spectrogram frames per window, R of them that exist, M mel bins,
H W pixels, C colours, or columns of patches.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.choices import StagePrompt
from cavmae_sync.data import PreparedDataset
from cavmae_sync.errors import DatasetError
from cavmae_sync.inputs import InputConfig, resize_and_crop
from cavmae_sync.inputs.alignment import Span, finish_segment, segment_span
from cavmae_sync.paper import PATCH_SIZE
from cavmae_sync.stage import ClipTruth, ObjectTruth, StageTruth
from cavmae_sync.tasks.localization.examples import Target, unpacked

#: Group of the rows in whose frame some visible object is not in the mask: telling objects from the
#: background is not enough there.
SEVERAL_OBJECTS: Final = "several_objects"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Moment:
    """Frame of a clip, and the sound at its time."""

    clip: int
    frame: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Example:
    image: _Moment
    prompt: _Moment
    target: Target
    packed_salient: bytes


class StageExamples:
    """Examples of a stage: every frame in which something visible sounds, once for each class that does.

    With `prompt="own"` the prompt is the frame's own segment of sound, and the mask is everything visible
    that sounds at that time. With "other" the prompt is a segment of another clip, in the middle of which one
    object of the class sounds alone, and the mask is the visible object of that class: sound and frame then
    have only the kind of object in common, as in ADE20K with prompts of VGGSound.

    Args:
        clips: Clips prepared from the stage.
        truth: Truth of the stage.
        prompt: Source of the prompts.
        seed: Seed of the choice of other clips.

    Raises:
        DatasetError: The clips are not of this stage, or no frame shows something that sounds.
    """

    def __init__(
        self, clips: PreparedDataset, truth: StageTruth, *, prompt: StagePrompt = "own", seed: int = 0
    ) -> None:
        self.clips = clips
        self.clip_list = clips.list_sha256
        self.config: Mapping[str, Any] = {
            "source": "stage",
            "stage": truth.name,
            "prompt": prompt,
            "prompt_seed": seed,
        }
        found, alone, counts = _examples(clips, truth, prompt)
        if prompt == "other":
            num_frames = len(found)
            found = _with_other_prompts(found, alone, np.random.default_rng(seed))
            counts["rows_without_other_sound"] = num_frames - len(found)
        if not found:
            raise DatasetError(
                f"No frame of {clips.folder} shows an object that sounds (and has a prompt), so there is "
                "nothing to measure. Use more clips, or clips with sound."
            )
        self.counts: Mapping[str, int] = dict(counts)
        self._examples = found

    @property
    def targets(self) -> Sequence[Target]:
        """Masks, at the size of the stage's frames."""
        return [example.target for example in self._examples]

    def image(self, row: int, *, pixels: int) -> NDArray[np.uint8]:
        """Frame at the model's size."""
        moment = self._examples[row].image
        stored_HWC = self.clips.read_frame(moment.clip, moment.frame)
        return resize_and_crop(stored_HWC[None], pixels=pixels)[0].numpy()

    def _span(self, row: int, config: InputConfig) -> Span:
        """Rows of the log-mel around the prompt's moment."""
        moment = self._examples[row].prompt
        return segment_span(
            moment.frame,
            frame_seconds=self.clips.frame_seconds(moment.clip),
            num_spectrogram_frames=self.clips.num_spectrogram_frames(moment.clip),
            config=config,
        )

    def heard(self, row: int, config: InputConfig) -> Tensor:
        """Columns of patches whose centre lies in the clip, bool [1, C]."""
        middles_C = torch.arange(config.segment_length // PATCH_SIZE) * PATCH_SIZE + PATCH_SIZE // 2
        rows_C = self._span(row, config).start + middles_C
        length = self.clips.num_spectrogram_frames(self._examples[row].prompt.clip)
        return ((rows_C >= 0) & (rows_C < length))[None]

    def sound(self, row: int) -> tuple[NDArray[np.float32], float]:
        """Sound of the prompt's clip, and the moment in it."""
        moment = self._examples[row].prompt
        clip = self.clips.row(moment.clip)
        return self.clips.read_waveform(moment.clip), clip.frame_seconds[moment.frame]

    def prompt(self, row: int, config: InputConfig) -> Tensor:
        """Segment of sound around the prompt's moment, [1, L, M]."""
        moment, span = self._examples[row].prompt, self._span(row, config)
        rows = span.clipped(self.clips.num_spectrogram_frames(moment.clip))
        rows_RM = self.clips.read_log_mel_rows(moment.clip, start=rows.start, stop=rows.stop)
        return finish_segment(torch.from_numpy(rows_RM), span=span, config=config)[None]

    def salient(self, row: int) -> NDArray[np.bool_]:
        """Every object in the frame, sounding or not."""
        example = self._examples[row]
        return unpacked(example.packed_salient, example.target.shape)


def _examples(
    clips: PreparedDataset, truth: StageTruth, prompt: StagePrompt
) -> tuple[list[_Example], dict[str, list[_Moment]], Counter[str]]:
    """Examples prompted by their own sound, the moments at which one object sounds alone, and counts."""
    found: list[_Example] = []
    alone: dict[str, list[_Moment]] = defaultdict(list)
    counts = Counter(frames=0, frames_with_nothing_heard_and_seen=0)
    for clip in range(len(clips)):
        row = clips.row(clip)
        of_clip = truth.for_clip(row)
        for frame, seconds in enumerate(row.frame_seconds):
            counts["frames"] += 1
            moment = _Moment(clip=clip, frame=frame)
            heard = of_clip.sounding(row.start_seconds + seconds)
            if len(heard) == 1:
                alone[_object(of_clip, heard[0]).class_name].append(moment)
            index = of_clip.frame_index(row.start_seconds + seconds)
            examples = _examples_of_frame(of_clip, index, heard, moment, prompt)
            counts["frames_with_nothing_heard_and_seen"] += not examples
            found.extend(examples)
    return found, alone, counts


def _examples_of_frame(
    truth: ClipTruth, index: int, heard: tuple[int, ...], moment: _Moment, prompt: StagePrompt
) -> list[_Example]:
    visible = [thing for thing in truth.objects if thing.is_on_stage and thing.is_visible_T[index]]
    sounding = [thing for thing in visible if thing.number in heard]
    if not sounding:
        return []
    shown_HW = truth.object_map(index)
    examples = []
    for class_name in sorted({thing.class_name for thing in sounding}):
        wanted = [thing.number for thing in sounding if prompt == "own" or thing.class_name == class_name]
        target = Target.of(
            np.isin(shown_HW, wanted),
            name=f"{truth.video_id}, frame {moment.frame}",
            unit=moment.clip,
            class_name=class_name,
            groups=(SEVERAL_OBJECTS,) if len(wanted) < len(visible) else (),
        )
        salient = np.packbits(shown_HW > 0).tobytes()
        examples.append(_Example(image=moment, prompt=moment, target=target, packed_salient=salient))
    return examples


def _with_other_prompts(
    examples: list[_Example], alone: Mapping[str, list[_Moment]], generator: np.random.Generator
) -> list[_Example]:
    """Examples that another clip can prompt, each with one of its possible moments drawn at random."""
    prompted = []
    for example in examples:
        others = [m for m in alone[example.target.class_name] if m.clip != example.image.clip]
        if others:
            prompted.append(replace(example, prompt=others[int(generator.integers(len(others)))]))
    return prompted


def _object(truth: ClipTruth, number: int) -> ObjectTruth:
    return next(thing for thing in truth.objects if thing.number == number)
