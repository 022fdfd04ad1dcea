"""Truth of a stage for retrieval: which moments are equal, and how far knowing the truth would go.

The ceiling is no model's number: it says what recall is possible at all on these clips for somebody who knows
who is seen and who is heard, and no more.

Letters: N clips, T frames per clip, D kinds of things.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.data import PreparedDataset
from cavmae_sync.metrics.moments import equal_moments
from cavmae_sync.stage import ObjectTruth, StageTruth
from cavmae_sync.tasks.retrieval.measures import Measures, Pair, measure_vectors

Objects = tuple[ObjectTruth, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class StageMoments:
    """Objects of every moment of every clip.

    Attributes:
        heard: Objects that are heard, by clip and frame, visible or not.
        visible: Objects that are visible, sounding or not.
        stage: Name of the stage, for reports.
    """

    heard: Sequence[Sequence[Objects]]
    visible: Sequence[Sequence[Objects]]
    stage: str = ""

    def shown(self) -> list[list[Objects]]:
        """Objects that are heard and visible: the state of each moment."""
        return [
            [_in_both(heard, visible) for heard, visible in zip(*clip, strict=True)]
            for clip in zip(self.heard, self.visible, strict=True)
        ]

    def hits(self) -> Tensor:
        """Moments of a clip with the same state, which no sound can tell apart: bool [N, T, T]."""
        states: list[list[int]] = []
        for clip in self.shown():
            numbers: dict[tuple[int, ...], int] = {}
            keys = [tuple(thing.number for thing in objects) for objects in clip]
            states.append([numbers.setdefault(key, len(numbers)) for key in keys])
        return equal_moments(torch.tensor(states))


def read_moments(clips: PreparedDataset, truth: StageTruth) -> StageMoments:
    """Objects of every moment of clips that were prepared from a stage.

    Raises:
        DatasetError: A clip was not prepared from this stage.
    """
    heard: list[list[Objects]] = []
    visible: list[list[Objects]] = []
    for number in range(len(clips)):
        row = clips.row(number)
        of_clip = truth.for_clip(row)
        times = [row.start_seconds + seconds for seconds in row.frame_seconds]
        by_number = {thing.number: thing for thing in of_clip.objects}
        heard.append([tuple(by_number[n] for n in of_clip.sounding(seconds)) for seconds in times])
        frames = [of_clip.frame_index(seconds) for seconds in times]
        visible.append(
            [
                tuple(each for each in of_clip.objects if each.is_on_stage and each.is_visible_T[frame])
                for frame in frames
            ]
        )
    return StageMoments(heard=heard, visible=visible, stage=truth.name)


def stage_ceilings(moments: StageMoments, *, hits_NTT: Tensor | None = None) -> dict[str, Measures]:
    """Measures of the truth itself, by what is known.

    - `who sounds, by class`: the classes that are heard against those that are seen sounding, moment by
      moment. It is within reach only where sounding shows.
    - `who sounds, exact objects`: the same of single objects.
    - `bags of classes`: the classes that are heard in the whole clip against those that are seen in it,
      without time. `bags of exact objects`: the same of single objects.

    Args:
        moments: Objects of every moment.
        hits_NTT: Moments of a clip with the same true state, as `StageMoments.hits`.
    """
    names: dict[str, Callable[[ObjectTruth], str]] = {
        "by class": lambda thing: thing.class_name,
        "exact objects": lambda thing: thing.name,
    }
    shown = moments.shown()
    found: dict[str, Measures] = {}
    for kind, name in names.items():
        pair = _bags(moments.heard, shown, name)
        found[f"who sounds, {kind}"] = measure_vectors(pair, hits_NTT=hits_NTT)
    for kind, name in {"classes": names["by class"], "exact objects": names["exact objects"]}.items():
        pair = _bags(_whole(moments.heard), _whole(moments.visible), name)
        found[f"bags of {kind}"] = measure_vectors(pair, hits_NTT=hits_NTT)
    return found


def _in_both(heard: Objects, visible: Objects) -> Objects:
    numbers = {thing.number for thing in visible}
    return tuple(thing for thing in heard if thing.number in numbers)


def _whole(clips: Sequence[Sequence[Objects]]) -> list[list[Objects]]:
    """Objects of the whole clip at each of its moments."""
    whole: list[list[Objects]] = []
    for clip in clips:
        by_number = {thing.number: thing for objects in clip for thing in objects}
        whole.append([tuple(by_number[number] for number in sorted(by_number))] * len(clip))
    return whole


def _bags(
    heard: Sequence[Sequence[Objects]],
    seen: Sequence[Sequence[Objects]],
    name: Callable[[ObjectTruth], str],
) -> Pair:
    """Unit vectors with a place for each name, and one for nothing at all: silence is knowledge too."""
    kinds = {name(each) for clips in (heard, seen) for clip in clips for objects in clip for each in objects}
    place = {each: number for number, each in enumerate(sorted(kinds), start=1)}

    def vectors(clips: Sequence[Sequence[Objects]]) -> Tensor:
        counts_NTD = torch.zeros(len(clips), len(clips[0]), len(place) + 1)
        for n, clip in enumerate(clips):
            for t, objects in enumerate(clip):
                counts_NTD[n, t, [place[name(each)] for each in objects] or [0]] = 1.0
        return F.normalize(counts_NTD, dim=2)

    return Pair(audio_NTD=vectors(heard), visual_NTD=vectors(seen))
