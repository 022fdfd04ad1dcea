"""Frames of generated clips as questions: which of what is seen is heard?

Letters: K windows of a prompt (here one), L spectrogram frames per window, R of them that exist, M mel bins,
H W pixels, C colours.
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

#: Rows in whose picture something visible is not the answer: there, telling objects from the background is
#: not enough.
SEVERAL_OBJECTS: Final = "several_objects"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Moment:
    """A frame of a clip."""

    clip: int
    frame: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Question:
    picture: _Moment
    prompt: _Moment
    target: Target
    packed_salient: bytes


class StageExamples:
    """Every frame of prepared stage clips in which something visible sounds, once for each class that does.

    With `prompt="own"` the frame's own stretch of sound asks, and the answer is everything visible that
    sounds at that time. With "other" a stretch of another clip asks, in the middle of which one object of the
    class sounds alone, and the answer is the visible object of that class: the sound then shares nothing with
    the picture but what kind of thing it is, as in ADE20K with prompts of VGGSound.

    Args:
        clips: Clips prepared from the stage.
        truth: The stage's truth.
        prompt: Which sound asks.
        seed: Of the choice of other clips.

    Raises:
        DatasetError: The clips are not of this stage, or no frame shows something that sounds.
    """

    def __init__(
        self, clips: PreparedDataset, truth: StageTruth, *, prompt: StagePrompt = "own", seed: int = 0
    ) -> None:
        self.clips = clips
        self.clip_list = clips.list_sha256
        self.config: Mapping[str, Any] = {"source": "stage", "prompt": prompt, "prompt_seed": seed}
        found, alone, counts = _questions(clips, truth, prompt)
        if prompt == "other":
            asked = len(found)
            found = _with_other_sounds(found, alone, np.random.default_rng(seed))
            counts["rows_without_other_sound"] = asked - len(found)
        if not found:
            raise DatasetError(
                f"No frame of {clips.folder} shows an object that sounds (and has a prompt), so there is "
                "nothing to measure. Take more clips, or clips with sound."
            )
        self.counts: Mapping[str, int] = dict(counts)
        self._questions = found

    @property
    def targets(self) -> Sequence[Target]:
        """The masks, at the size of the stage's frames."""
        return [question.target for question in self._questions]

    def picture(self, row: int, *, pixels: int) -> NDArray[np.uint8]:
        """The frame at the model's size."""
        moment = self._questions[row].picture
        stored_HWC = self.clips.read_frame(moment.clip, moment.frame)
        return resize_and_crop(stored_HWC[None], pixels=pixels)[0].numpy()

    def _span(self, row: int, config: InputConfig) -> Span:
        """The rows of its log-mel that exist around the prompt's moment."""
        moment = self._questions[row].prompt
        length = self.clips.num_spectrogram_frames(moment.clip)
        return segment_span(
            moment.frame, num_spectrogram_frames=length, num_frames=self.clips.num_frames, config=config
        ).clipped(length)

    def heard(self, row: int, config: InputConfig) -> Tensor:
        """Columns of patches whose middle lies before the end of the clip, bool [1, C]."""
        middles_C = torch.arange(config.segment_length // PATCH_SIZE) * PATCH_SIZE + PATCH_SIZE // 2
        return (middles_C < self._span(row, config).length)[None]

    def sound(self, row: int) -> tuple[NDArray[np.float32], float]:
        """The clip of the prompt, and the moment in it."""
        moment = self._questions[row].prompt
        clip = self.clips.row(moment.clip)
        return self.clips.read_waveform(moment.clip), clip.frame_seconds[moment.frame]

    def prompt(self, row: int, config: InputConfig) -> Tensor:
        """The stretch of sound around the prompt's moment, [1, L, M]."""
        moment, span = self._questions[row].prompt, self._span(row, config)
        rows_RM = self.clips.read_log_mel_rows(moment.clip, start=span.start, stop=span.stop)
        return finish_segment(torch.from_numpy(rows_RM), config=config)[None]

    def salient(self, row: int) -> NDArray[np.bool_]:
        """Every object in the picture, sounding or not."""
        question = self._questions[row]
        return unpacked(question.packed_salient, question.target.shape)


def _questions(
    clips: PreparedDataset, truth: StageTruth, prompt: StagePrompt
) -> tuple[list[_Question], dict[str, list[_Moment]], Counter[str]]:
    """Questions whose prompt is their own sound; moments at which one object of a class sounds alone."""
    found: list[_Question] = []
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
                alone[_named(of_clip, heard[0]).class_name].append(moment)
            index = of_clip.frame_index(row.start_seconds + seconds)
            asked = _ask(of_clip, index, heard, moment, prompt)
            counts["frames_with_nothing_heard_and_seen"] += not asked
            found.extend(asked)
    return found, alone, counts


def _ask(
    truth: ClipTruth, index: int, heard: tuple[int, ...], moment: _Moment, prompt: StagePrompt
) -> list[_Question]:
    visible = [thing for thing in truth.objects if thing.is_on_stage and thing.is_visible_T[index]]
    sounding = [thing for thing in visible if thing.number in heard]
    if not sounding:
        return []
    shown_HW = truth.object_map(index)
    questions = []
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
        questions.append(_Question(picture=moment, prompt=moment, target=target, packed_salient=salient))
    return questions


def _with_other_sounds(
    questions: list[_Question], alone: Mapping[str, list[_Moment]], generator: np.random.Generator
) -> list[_Question]:
    """The questions that another clip can ask, with a moment of one drawn for each."""
    asked = []
    for question in questions:
        others = [m for m in alone[question.target.class_name] if m.clip != question.picture.clip]
        if others:
            asked.append(replace(question, prompt=others[int(generator.integers(len(others)))]))
    return asked


def _named(truth: ClipTruth, number: int) -> ObjectTruth:
    return next(thing for thing in truth.objects if thing.number == number)
