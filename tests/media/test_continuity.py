"""Time stamps that leap, begin again or are wrong: a file lasts as long as its data."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cavmae_sync.errors import DecodeError
from cavmae_sync.media import iterate_clips, write_video
from cavmae_sync.media.continuity import Continuity

TICK = Fraction(1, 1000)


class Stamps:
    """Packets of one stream, and the stamps that a `Continuity` gives them."""

    def __init__(self, *, is_joined: bool) -> None:
        self.continuity = Continuity(Path("film"), is_joined=is_joined)

    def closed(self, seconds: list[float], *, length: float = 0.04, has_order: bool = True) -> list[float]:
        found: list[float] = []
        for stamp in seconds:
            packet = av.Packet(b"x")
            packet.time_base, packet.pts = TICK, round(stamp * 1000)
            packet.dts = packet.pts if has_order else None
            packet.duration = round(length * 1000)
            self.continuity.close_leap(packet)
            found.append(float(packet.pts * TICK))
        return found


def steps(start: float, number: int) -> list[float]:
    return [start + 0.04 * k for k in range(number)]


def test_stamps_without_a_leap_are_kept():
    stamps = [*steps(5.0, 10), *steps(9.0, 10)]  # a pause of four seconds
    for is_joined in (True, False):
        assert Stamps(is_joined=is_joined).closed(stamps) == pytest.approx(stamps)


def test_a_recording_that_begins_again_goes_on():
    for leap in (97.0, 1e6, -3.0, -500.0):
        stamps = [*steps(600.0, 10), *steps(600.4 + leap, 10)]
        assert Stamps(is_joined=True).closed(stamps) == pytest.approx(steps(600.0, 20)), leap


def test_elsewhere_only_a_minute_is_a_leap():
    assert Stamps(is_joined=False).closed([0.0, 30.0]) == pytest.approx([0.0, 30.0])
    assert Stamps(is_joined=False).closed([0.0, 70.0]) == pytest.approx([0.0, 0.04])


def test_frames_out_of_order_are_no_leap():
    stamps = [0.0, 0.16, 0.08, 0.04, 0.12]
    assert Stamps(is_joined=True).closed(stamps, has_order=False) == pytest.approx(stamps)


def test_a_minute_of_data_spread_over_hours_is_refused():
    """Every leap below the limit, and yet almost nothing there."""
    with pytest.raises(DecodeError, match=r"has data for \d+\.\d s, but its time stamps spread them over 6"):
        Stamps(is_joined=False).closed([59.0 * k for k in range(1000)])


def test_long_frames_count_as_little(tmp_path: Path):
    """A slide every 59 seconds without sound: a few kB must not become thousands of clips."""
    film, slides = tmp_path / "film.mp4", tmp_path / "slides.mp4"
    frames_THWC, sound_S = np.zeros((100, 32, 32, 3), np.uint8), np.full(16_000, 0.1, np.float32)
    write_video(film, frames_THWC, frames_per_second=10, waveform_S=sound_S)
    with av.open(str(film)) as read, av.open(str(slides), "w") as write:
        streams = {s.index: write.add_stream_from_template(s) for s in read.streams}
        for packet in read.demux():
            if packet.dts is not None:
                if packet.stream.type == "video":
                    packet.pts = packet.dts = packet.dts * 590
                    packet.duration *= 590
                packet.stream = streams[packet.stream_index]
                write.mux(packet)
    with pytest.raises(DecodeError, match="time stamps spread them"):
        list(iterate_clips(slides, num_frames=2))
