"""The frame of a time is the one on screen then: upright, in the right colours, at any rate."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import get_args

import av
import numpy as np
import pytest

from cavmae_sync.media import SamplingRule, read_clip, write_video
from cavmae_sync.media.playback import playback

from .conftest import noise, numbered_frames, read_numbers, remux


def every_frame(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """All frames and their times from the start of the file: an independent, wasteful way."""
    with av.open(str(path)) as container:
        zero = container.start_time / av.time_base
        decoded = [
            (frame.time - zero, frame.to_ndarray(format="rgb24", interpolation="BICUBIC"))
            for frame in container.decode(video=0)
        ]
    decoded.sort(key=lambda item: item[0])
    return np.array([seconds for seconds, _ in decoded]), np.stack([pixels for _, pixels in decoded])


@pytest.mark.long
def test_equal_choosing_among_all_frames(odd: Callable[[str], Path], subtests: pytest.Subtests):
    """Variable rate (08), frames out of order (00), times rounded to milliseconds (18, 31, 53), offsets."""
    for number in ("00", "08", "12", "15", "16", "18", "20", "28", "31", "53", "54"):
        with subtests.test(number):
            times_N, pixels_NHWC = every_frame(odd(number))
            for sampling in get_args(SamplingRule):
                clip = read_clip(odd(number), sampling=sampling)
                for seconds, frame_HWC in zip(clip.frame_seconds_T, clip.frames_THWC, strict=True):
                    shown = np.flatnonzero(times_N <= clip.start_seconds + seconds + 1e-3)
                    np.testing.assert_array_equal(frame_HWC, pixels_NHWC[shown[-1] if shown.size else 0])


def test_frame_numbers_of_the_original_rules(film: Callable[..., Path], subtests: pytest.Subtests):
    for rate in (8, 12.5, Fraction(24000, 1001), 25, Fraction(30000, 1001), 30):
        with subtests.test(str(rate)):
            path = film(10.0, frames_per_second=rate)
            num_source = round(10.0 * rate)

            clip = read_clip(path, sampling="linspace_inclusive")
            assert read_numbers(clip.frames_THWC) == [i * (num_source - 1) // 15 for i in range(16)]

            clip = read_clip(path, sampling="uniform_left")
            num_used = min(num_source, int(rate * 10))
            assert read_numbers(clip.frames_THWC) == [i * num_used // 16 for i in range(16)]


def test_a_rate_that_varies(tmp_path: Path):
    """Frames at 0, 0.1, 0.2, 1.0, 1.1 and 2.0 s."""
    path = tmp_path / "varying.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10, options={"bf": "3"})
        video.width, video.height, video.pix_fmt = 64, 32, "yuv420p"
        audio = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 33600), np.int16), format="s16", layout="mono")
        sound.sample_rate, sound.pts = 16000, 0
        container.mux(audio.encode(sound))
        for pixels_HWC, tenths in zip(numbered_frames(6), [0, 1, 2, 10, 11, 20], strict=True):
            frame = av.VideoFrame.from_ndarray(pixels_HWC, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = tenths, Fraction(1, 10)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    clip = read_clip(path, num_frames=5, sampling="linspace_inclusive")
    np.testing.assert_allclose(clip.frame_seconds_T, [0.0, 0.5, 1.0, 1.5, 2.0])
    assert read_numbers(clip.frames_THWC) == [0, 2, 3, 4, 5]


# a, b, c, d of the matrix: (x, y) goes to (a x + c y, b x + d y); and the same of the array of pixels.
ORIENTATIONS = {
    (1, 0, 0, 1): lambda frames: frames,
    (-1, 0, 0, 1): lambda frames: frames[:, :, ::-1],
    (1, 0, 0, -1): lambda frames: frames[:, ::-1],
    (-1, 0, 0, -1): lambda frames: frames[:, ::-1, ::-1],
    (0, 1, 1, 0): lambda frames: frames.swapaxes(1, 2),
    (0, -1, 1, 0): lambda frames: frames.swapaxes(1, 2)[:, ::-1],
    (0, 1, -1, 0): lambda frames: frames.swapaxes(1, 2)[:, :, ::-1],
    (0, -1, -1, 0): lambda frames: frames.swapaxes(1, 2)[:, ::-1, ::-1],
}


def test_all_eight_orientations_stand_upright(film: Callable[..., Path], tmp_path: Path):
    stored, turned = film(1.0), tmp_path / "turned.mp4"
    frames_THWC = read_clip(stored).frames_THWC
    for signs, orient in ORIENTATIONS.items():
        a, b, c, d = (sign * 65_536 for sign in signs)
        with av.open(str(stored)) as read, av.open(str(turned), "w") as write:
            streams = {s.index: write.add_stream_from_template(s) for s in read.streams}
            streams[0].set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
            for packet in read.demux():
                if packet.dts is not None:
                    packet.stream = streams[packet.stream_index]
                    write.mux(packet)
        expected = orient(frames_THWC)
        np.testing.assert_array_equal(read_clip(turned).frames_THWC, expected, err_msg=str(signs))
        np.testing.assert_array_equal(next(playback(turned).frames()), expected[0], err_msg=str(signs))


def test_rotation_of_a_phone(odd: Callable[[str], Path]):
    """File 09 is file 00 with 90 degrees in its display matrix: the frame is turned counter-clockwise."""
    expected = np.rot90(read_clip(odd("00")).frames_THWC, k=1, axes=(1, 2))
    np.testing.assert_array_equal(read_clip(odd("09")).frames_THWC, expected)


def test_colours_come_back(tmp_path: Path):
    for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (10, 120, 200)):
        path = tmp_path / "colour.mp4"
        frames = np.broadcast_to(np.array(colour, np.uint8), (10, 64, 64, 3))
        write_video(path, frames, frames_per_second=10, waveform_S=noise(1.0))
        pixels = read_clip(path, num_frames=1).frames_THWC[0, 32, 32].astype(int)
        assert np.abs(pixels - colour).max() <= 4


def test_full_range_is_like_limited_range(odd: Callable[[str], Path]):
    """File 51 stores the same film in full range, grey; taking it for limited would stretch its contrast."""
    full, colour = (read_clip(odd(n), num_frames=4).frames_THWC.astype(float) for n in ("51", "00"))
    grey = colour @ [0.2126, 0.7152, 0.0722]
    assert np.polyfit(grey.ravel(), full.mean(axis=3).ravel(), 1)[0] == pytest.approx(1.0, abs=0.05)


def test_seeking_gives_the_same_frames(film: Callable[..., Path], tmp_path: Path):
    path = film(20.0)
    late = read_clip(path, start_seconds=15.0, clip_seconds=4.0, num_frames=5, sampling="uniform_left")
    assert read_numbers(late.frames_THWC) == [375, 395, 415, 435, 455]
    stream = remux(path, tmp_path / "film.ts", container_format="mpegts")
    begin = read_clip(stream, num_frames=1).start_seconds  # the priming of AAC comes first in such streams
    assert begin == pytest.approx(1024 / 16_000, abs=1e-3)
    late = read_clip(
        stream, start_seconds=begin + 15.0, clip_seconds=4.0, num_frames=5, sampling="uniform_left"
    )
    assert read_numbers(late.frames_THWC) == [375, 395, 415, 435, 455]


def test_a_stream_that_begins_between_key_frames(film: Callable[..., Path], tmp_path: Path):
    """Cut from a broadcast: what comes before the first key frame cannot be decoded and is left out."""
    whole = remux(film(6.0), tmp_path / "whole.ts", container_format="mpegts")
    cut = tmp_path / "cut.ts"
    packets = whole.read_bytes()
    cut.write_bytes(packets[: 188 * 3] + packets[188 * 40 :])
    clip = read_clip(cut, num_frames=1)
    assert clip.start_seconds > 0
    assert read_numbers(clip.frames_THWC)[0] % 48 == 0  # the writer makes a key frame every 48
