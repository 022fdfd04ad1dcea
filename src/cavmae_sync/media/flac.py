"""Encoder and decoder of FLAC in memory, for prepared datasets.

Shapes: S samples.
"""

from io import BytesIO
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from cavmae_sync.errors import DecodeError
from cavmae_sync.media.clip import check_array

#: Where a FLAC file has the MD5 of its samples: the end of its first block, which every file begins with.
FLAC_MD5: Final = slice(26, 42)

_FULL_SCALE = 32768
_LARGEST = 32767
# Leave out the version of the encoder, so that equal sound gives equal bytes, and the 8 kB of room for tags.
_OPTIONS = {"fflags": "+bitexact", "metadata_header_padding": "0"}


def encode_flac(waveform_S: NDArray[np.float32], *, sample_rate_hz: int) -> bytes:
    """Encode mono sound as a FLAC file of 16 bits.

    Lossless but for the rounding to 16 bits: at most half a step, 1.6e-5 (a whole step at exactly 1.0).
    Equal sound gives equal bytes.

    Args:
        waveform_S: float32 in [-1, 1], at least one sample.
        sample_rate_hz: Samples per second.

    Raises:
        ValueError: There are no samples, or some are out of range.
    """
    check_array("waveform_S", waveform_S, num_axes=1, dtype=np.float32)
    if waveform_S.size == 0 or not np.abs(waveform_S).max() <= 1.0:
        raise ValueError("waveform_S must have samples, all finite and in [-1, 1]")
    samples_S = np.minimum(np.rint(waveform_S * _FULL_SCALE), _LARGEST).astype(np.int16)
    buffer = BytesIO()
    with av.open(buffer, "w", format="flac", container_options=_OPTIONS) as container:
        stream = container.add_stream("flac", rate=sample_rate_hz, layout="mono", format="s16")
        frame = av.AudioFrame.from_ndarray(samples_S[None], format="s16", layout="mono")
        frame.sample_rate = sample_rate_hz
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def decode_flac(content: bytes) -> NDArray[np.float32]:
    """Decode a mono 16-bit FLAC file to float32 in [-1, 1].

    Raises:
        DecodeError: The content is not FLAC, or damaged.
    """
    try:
        with av.open(BytesIO(content), "r", format="flac") as container:
            parts = [frame.to_ndarray() for frame in container.decode(audio=0)]
    except av.FFmpegError as error:
        raise DecodeError(f"{len(content)} bytes are not readable as FLAC: {error}.") from error
    if not parts:
        raise DecodeError(f"{len(content)} bytes hold no FLAC sound.")
    samples_S = np.concatenate(parts, axis=1)[0]
    return (samples_S / _FULL_SCALE).astype(np.float32)
