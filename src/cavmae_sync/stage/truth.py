"""Truth about a generated clip: its objects, its events and a mask of each object in each frame.

Shape letters: T frames, H W pixels.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cavmae_sync.errors import DatasetError
from cavmae_sync.stage.render import RenderedFrames
from cavmae_sync.stage.scene import Actor, Scene
from cavmae_sync.untrusted import decode_image

#: Smallest share of an object that makes it visible in a frame.
VISIBLE_SHARE = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectTruth:
    """One object of a clip.

    Attributes:
        number: Its value in the object maps, from 1. Objects that are never seen have numbers too.
        name: Its name in the pack: equal names are the same object.
        class_name: Its class.
        size: In [0, 1], as are warmth and texture; those are None in packs that do not have them.
        warmth: From blue and dull (0) to red and bright (1).
        texture: From few stripes and slow (0) to many and fast (1).
        is_on_stage: True when it is part of the video, though perhaps not all the time.
        boxes_T4: int32; left, top, right, bottom in pixels, half-open; -1 where nothing of it is visible.
        visible_share_T: float32 in [0, 1]; share of the object that is visible.
        loudness_T: float32 >= 0; its own loudness around each frame, as heard in the clip.
    """

    number: int
    name: str
    class_name: str
    size: float
    warmth: float | None
    texture: float | None
    is_on_stage: bool
    boxes_T4: NDArray[np.int32]
    visible_share_T: NDArray[np.float32]
    loudness_T: NDArray[np.float32]

    @property
    def is_visible_T(self) -> NDArray[np.bool_]:  # noqa: N802
        """Frames in which at least a tenth of the object is visible."""
        return self.visible_share_T >= VISIBLE_SHARE


@dataclass(frozen=True, kw_only=True, slots=True)
class EventTruth:
    """A span of time in which an object is heard.

    Attributes:
        object_number: Number of the object.
        start_seconds: First sample of the sound, from the start of the clip.
        stop_seconds: End of the last sound; struck sounds may have died away a little earlier.
        loudness: In (0, 1], relative to the loudest possible event.
        is_on_screen: True when the object is visible in at least half of the frames of the event.
    """

    object_number: int
    start_seconds: float
    stop_seconds: float
    loudness: float
    is_on_screen: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipTruth:
    """Truth about one clip.

    Attributes:
        video_id: Name of the file in `clips/`, without ending.
        split: The objects that may appear.
        variant: `bind`, `no_pulse` or `easy`; `standard` or `unknown_classes` in stages of version 1.
        control: Change made on purpose, or `none`.
        labels: Classes both on the stage and heard in the clip without control, sorted.
        duration_seconds: Length of the clip.
        frame_seconds_T: float64; times of the frames, to which the masks belong exactly.
        objects: By number.
        events: By time.
        object_map_pngs: One grey PNG for each frame, as large as the frame: 0 is the background, n object n.
    """

    video_id: str
    split: str
    variant: str
    control: str
    labels: tuple[str, ...]
    duration_seconds: float
    frame_seconds_T: NDArray[np.float64]
    objects: tuple[ObjectTruth, ...]
    events: tuple[EventTruth, ...]
    object_map_pngs: tuple[bytes, ...]

    def __post_init__(self) -> None:
        num_frames = len(self.frame_seconds_T)
        lengths = {len(thing.visible_share_T) for thing in self.objects} | {len(self.object_map_pngs)}
        if lengths != {num_frames}:
            raise ValueError(f"{self.video_id} has {num_frames} frame times, but tracks of lengths {lengths}")

    def object_map(self, frame_index: int) -> NDArray[np.uint8]:
        """Number of the object at each pixel of a frame: (H, W) uint8, 0 is the background."""
        content = self.object_map_pngs[frame_index]
        try:
            return np.asarray(decode_image(content, formats=("PNG",)))
        except ValueError as error:
            place = f"the truth of {self.video_id}, frame {frame_index},"
            raise DatasetError(f"{place} is damaged ({error}). Make the stage again.") from error

    def mask(self, frame_index: int, object_numbers: Sequence[int]) -> NDArray[np.bool_]:
        """Pixels of a frame that show one of the objects: (H, W) bool."""
        return np.isin(self.object_map(frame_index), object_numbers)

    def sounding(self, seconds: float) -> tuple[int, ...]:
        """Numbers of the objects that are heard at a time, visible or not."""
        numbers = {e.object_number for e in self.events if e.start_seconds <= seconds < e.stop_seconds}
        return tuple(sorted(numbers))

    def frame_index(self, seconds: float) -> int:
        """Index of the frame shown at a time: the last one that is not later."""
        return max(int(np.searchsorted(self.frame_seconds_T, seconds + 1e-9, side="right")) - 1, 0)


def describe_objects(
    audible: Scene, *, rendered: RenderedFrames, loudness_OT: NDArray[np.float32]
) -> tuple[ObjectTruth, ...]:
    """Truth about the objects of a clip, measured on the frames that were drawn.

    Args:
        audible: The scene as its sound track has it; actors that are seen come first.
        rendered: The frames that were drawn.
        loudness_OT: Loudness of the actors of `audible` around each frame.
    """
    return tuple(
        _describe(number, actor, rendered, loudness_OT[number - 1])
        for number, actor in enumerate(audible.actors, start=1)
    )


def describe_events(
    audible: Scene, *, objects: Sequence[ObjectTruth], frame_seconds_T: NDArray[np.float64]
) -> tuple[EventTruth, ...]:
    """Truth about the events of a clip, in order of time."""
    events = []
    for thing, actor in zip(objects, audible.actors, strict=True):
        for event in actor.events:
            during_T = (frame_seconds_T >= event.start_seconds) & (frame_seconds_T < event.stop_seconds)
            is_on_screen = bool(during_T.any()) and bool(thing.is_visible_T[during_T].mean() >= 0.5)
            events.append(
                EventTruth(
                    object_number=thing.number,
                    start_seconds=event.start_seconds,
                    stop_seconds=event.stop_seconds,
                    loudness=event.loudness,
                    is_on_screen=is_on_screen,
                )
            )
    return tuple(sorted(events, key=lambda event: (event.start_seconds, event.object_number)))


def encode_object_map(object_map_HW: NDArray[np.uint8]) -> bytes:
    """Encode an object map as a grey PNG."""
    file = io.BytesIO()
    Image.fromarray(object_map_HW).save(file, format="PNG", compress_level=2)
    return file.getvalue()


def _describe(
    number: int, actor: Actor, rendered: RenderedFrames, loudness_T: NDArray[np.float32]
) -> ObjectTruth:
    mask_THW = rendered.object_map_THW == number
    area_T = mask_THW.sum(axis=(1, 2))
    is_on_stage = actor.is_seen
    full_T = rendered.full_area_OT[number - 1] if is_on_stage else np.ones_like(area_T)
    return ObjectTruth(
        number=number,
        name=actor.thing.name,
        class_name=actor.thing.class_name,
        size=actor.thing.size,
        warmth=actor.thing.warmth,
        texture=actor.thing.texture,
        is_on_stage=is_on_stage,
        boxes_T4=_boxes(mask_THW),
        visible_share_T=(area_T / full_T).astype(np.float32),
        loudness_T=loudness_T,
    )


def _boxes(mask_THW: NDArray[np.bool_]) -> NDArray[np.int32]:
    (left_T, right_T), (top_T, bottom_T) = _extent(mask_THW.max(axis=1)), _extent(mask_THW.max(axis=2))
    boxes_T4 = np.stack([left_T, top_T, right_T, bottom_T], axis=1).astype(np.int32)
    boxes_T4[~mask_THW.any(axis=(1, 2))] = -1
    return boxes_T4


def _extent(line_TN: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Place of the first true value and one past the last, in each row."""
    return line_TN.argmax(axis=1), line_TN.shape[1] - np.flip(line_TN, axis=1).argmax(axis=1)
