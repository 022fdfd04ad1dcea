"""Pictures and waveform of a moment, as text that an HTML page holds.

B parts of a waveform, S samples; H W pixels, C channels (RGB).
"""

import base64
import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cavmae_sync.edit.sequence import Event
from cavmae_sync.media import read_audio
from cavmae_sync.media.loudness import loudest_of_parts
from cavmae_sync.media.read import read_frame

_PIXELS: Final = 240
_QUALITY: Final = 80
_NUM_PARTS: Final = 200
_HEIGHT: Final = 48
#: Longest sound that is drawn; what comes after it is not decoded.
_MOST_SECONDS: Final = 600.0
#: Places in a moment that are shown: its first frame, its middle, its last frame.
PLACES: Final = ("first frame", "middle", "last frame")


def thumbnails(event: Event) -> list[str]:
    """Addresses of three JPEG pictures, `data:`: the first frame, the one in the middle, the last.

    Raises:
        MediaError: The picture cannot be read.
    """
    frames = (event.first, (event.first + event.stop - 1) // 2, event.stop - 1)
    source = event.source
    return [_jpeg(_frame(event, source.seconds_of(frame, rate=event.rate))) for frame in frames]


def waveform(event: Event) -> str:
    """SVG of the loudest sample of each part of the sound.

    Raises:
        MediaError: The sound cannot be read.
    """
    start = event.moment.start_seconds
    length = min(event.moment.stop_seconds - start, _MOST_SECONDS)
    sound_S = read_audio(event.source.path, start_seconds=start, duration_seconds=length)
    peaks_B = loudest_of_parts(sound_S, _NUM_PARTS)
    middle = _HEIGHT / 2
    heights_B = np.maximum(peaks_B * middle, 0.5)
    path = "".join(
        f"M{i + 0.5:g} {middle - height:.1f}V{middle + height:.1f}"
        for i, height in enumerate(heights_B.tolist())
    )
    loudest = float(peaks_B.max(initial=0.0))
    label = f"Waveform of the sound: loudest sample {loudest:.2f} of full scale."
    return (
        f'<svg class="wave" role="img" aria-label="{label}" viewBox="0 0 {_NUM_PARTS} {_HEIGHT}" '
        f'preserveAspectRatio="none"><title>{label}</title><path d="{path}"/></svg>'
    )


def _frame(event: Event, seconds: float) -> NDArray[np.uint8]:
    # A quarter of a frame late, so that a time that was rounded falls into its own frame.
    late = 0.25 / float(event.rate)
    return read_frame(event.source.path, seconds + late, within_seconds=0.5 / float(event.rate))


def _jpeg(frame_HWC: NDArray[np.uint8]) -> str:
    image = Image.fromarray(frame_HWC)
    image.thumbnail((_PIXELS, _PIXELS))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode('ascii')}"
