"""The files of one stored clip: JPEG frames, FLAC sound, log-mel rows.

Shapes: T frames, H W pixels, C channels, N spectrogram frames, M mel bins.
"""

from dataclasses import dataclass
from io import BytesIO
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cavmae_sync.inputs import log_mel
from cavmae_sync.media.flac import encode_flac
from cavmae_sync.paper import SAMPLE_RATE_HZ
from cavmae_sync.untrusted import decode_image

_MOST_PIXELS = 4096 * 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredClip:
    """Contents of the files of a clip.

    Attributes:
        frames: One JPEG per frame.
        sound: FLAC, 16 bits, mono, 16 kHz.
        log_mel: npy, float16 [N, M], not normalised, not padded. Rounding to float16 costs at most 0.004,
            a thousandth of the standard deviation.
        num_spectrogram_frames: N.
    """

    frames: tuple[bytes, ...]
    sound: bytes
    log_mel: bytes
    num_spectrogram_frames: int

    @classmethod
    def of(cls, waveform_S: NDArray[np.float32], *, frames: tuple[bytes, ...]) -> Self:
        """Files of a clip from its sound (16 kHz) and its JPEG frames. Equal clips give equal bytes."""
        log_mel_NM = log_mel(waveform_S).numpy().astype(np.float16)
        buffer = BytesIO()
        np.save(buffer, log_mel_NM, allow_pickle=False)
        return cls(
            frames=frames,
            sound=encode_flac(waveform_S, sample_rate_hz=SAMPLE_RATE_HZ),
            log_mel=buffer.getvalue(),
            num_spectrogram_frames=len(log_mel_NM),
        )


def encode_frames(frames_THWC: NDArray[np.uint8], *, quality: int) -> tuple[bytes, ...]:
    """JPEG of each frame; see `encode_jpeg`."""
    return tuple(encode_jpeg(frame_HWC, quality=quality) for frame_HWC in frames_THWC)


def encode_jpeg(frame_HWC: NDArray[np.uint8], *, quality: int) -> bytes:
    """JPEG of an RGB frame, with colour at full resolution (4:4:4).

    On real clips brought to 224 pixels, quality 92 is off by 1.6 to 2.0 grey levels (root mean square) and
    takes 15 to 20 kB; with colour halved (4:2:0) it takes quality 95, and more bytes, to come as near. The
    usual quality 75 with halved colour is off by 2.7 to 3.8.
    """
    buffer = BytesIO()
    Image.fromarray(frame_HWC).save(buffer, "JPEG", quality=quality, subsampling="4:4:4")
    return buffer.getvalue()


def decode_jpeg(content: bytes) -> NDArray[np.uint8]:
    """RGB frame of a JPEG, uint8 [H, W, C], writable.

    Raises:
        ValueError: It is not a JPEG, is damaged, or has more than 4096 x 4096 pixels.
    """
    image = decode_image(content, formats=("JPEG",), most_pixels=_MOST_PIXELS)
    # `convert` would copy the pixels once more, even from RGB to RGB.
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))
