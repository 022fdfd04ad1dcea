"""A real video with a flash and a click at one moment: where the click lies in the segment of the flash."""

from pathlib import Path

import numpy as np
import pytest

from cavmae_sync.inputs import InputConfig, ModelInput, model_input
from cavmae_sync.inputs.config import Alignment
from cavmae_sync.media import read_clip, write_video

RATE = 16  # frames a second, so that the middles of sixteen parts of 10 s are times of frames


def write_flash_and_click(path: Path, *, seconds: float) -> None:
    """A video of 10 s with one white frame, and a click of one millisecond when it appears."""
    frames = np.zeros((10 * RATE, 32, 32, 3), np.uint8)
    frames[round(seconds * RATE)] = 255
    waveform_S = np.zeros(160_000, np.float32)
    first = round(seconds * 16_000)
    waveform_S[first : first + 16] = np.tile([0.9, -0.9], 8)
    write_video(path, frames, frames_per_second=RATE, waveform_S=waveform_S)


def flash_and_click(ready: ModelInput) -> tuple[int, int]:
    """Number of the frame with the flash, and the loudest row of its segment."""
    frame = int(ready.frames_TCHW.mean(dim=(1, 2, 3)).argmax())
    return frame, int(ready.segments_TLM[frame].mean(dim=1).argmax())


@pytest.mark.parametrize("number", [0, 1, 7, 14, 15])
def test_the_click_lies_in_the_middle_of_the_segment_of_the_flash(tmp_path: Path, number: int):
    """Within one row, at every length. By the published rules it is elsewhere, or not in it at all."""
    seconds = 10 / 16 * (number + 0.5)
    write_flash_and_click(tmp_path / "v.mp4", seconds=seconds)
    clip = read_clip(tmp_path / "v.mp4", sampling="uniform_center")

    def click(alignment: Alignment, length: int) -> int:
        config = InputConfig(frame_pixels=32, segment_length=length, alignment=alignment)
        frame, row = flash_and_click(model_input(clip, config))
        assert frame == number
        return row

    for length in (96, 416):
        middle = length / 2 - 0.5  # rows number from 0
        assert abs(click("centered", length) - middle) <= 1.5
        assert abs(click("valid", length) - middle) > 9
        assert abs(click("padded", length) - middle) > 9
