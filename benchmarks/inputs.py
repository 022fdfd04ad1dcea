"""What a clip's inputs cost: the spectrogram once against once a frame, resizing by torch against Pillow.

    python benchmarks/inputs.py [--seconds 10] [--size 640x360] [--threads N] [--json FILE]

Both sides of a ratio run in turn in the same process, so that whatever else the machine does slows both.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from cavmae_sync import paper
from cavmae_sync.inputs import InputConfig, cut_segments, log_mel, normalize_frames, resize_and_crop

FRAMES = paper.NUM_FRAMES


def median_milliseconds(actions: dict[str, Callable[[], object]], *, repeats: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(repeats + 1):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: sorted(each[1:])[repeats // 2] for name, each in times.items()}


def spectrogram_actions(seconds: float) -> dict[str, Callable[[], object]]:
    random = np.random.default_rng(0)
    waveform = random.uniform(-1, 1, int(seconds * paper.SAMPLE_RATE_HZ)).astype(np.float32)
    config = InputConfig()

    def segments(frames: list[int]) -> torch.Tensor:
        return cut_segments(log_mel(waveform), frame_indices=frames, num_frames=FRAMES, config=config)

    return {
        "log_mel": lambda: log_mel(waveform),
        "segments_spectrogram_once": lambda: segments(list(range(FRAMES))),
        "segments_spectrogram_per_frame": lambda: torch.cat([segments([i]) for i in range(FRAMES)]),
    }


def resize_actions(width: int, height: int) -> dict[str, Callable[[], object]]:
    frames = np.random.default_rng(0).integers(0, 256, (FRAMES, height, width, 3), dtype=np.uint8)
    pixels = paper.FRAME_PIXELS
    short = min(height, width)
    size = (pixels * width // short, pixels * height // short)
    left, top = round((size[0] - pixels) / 2), round((size[1] - pixels) / 2)

    def pillow(frame: np.ndarray) -> np.ndarray:
        resized = Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC)
        return np.asarray(resized.crop((left, top, left + pixels, top + pixels)))

    ready = resize_and_crop(frames, pixels=pixels)
    return {
        "resize_torch": lambda: resize_and_crop(frames, pixels=pixels),
        "resize_pillow": lambda: np.stack([pillow(frame) for frame in frames]),
        "normalize_frames": lambda: normalize_frames(ready),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=paper.CLIP_SECONDS)
    parser.add_argument("--size", default="640x360", help="width x height of the frames before resizing")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    width, height = map(int, options.size.split("x"))
    milliseconds = median_milliseconds(spectrogram_actions(options.seconds), repeats=options.repeats)
    milliseconds |= median_milliseconds(resize_actions(width, height), repeats=options.repeats)
    ratios = {
        "spectrogram per frame / once": milliseconds["segments_spectrogram_per_frame"]
        / milliseconds["segments_spectrogram_once"],
        "resize Pillow / torch": milliseconds["resize_pillow"] / milliseconds["resize_torch"],
    }
    setting = {
        "seconds": options.seconds,
        "frames": FRAMES,
        "size": options.size,
        "threads": options.threads,
        "torch": torch.__version__,
        "processor": platform.processor() or platform.machine(),
    }
    print(f"{options.seconds:g} s of sound, {FRAMES} frames of {options.size}, {options.threads} threads")
    for name, value in milliseconds.items():
        print(f"{name:<34}{value:>10.2f} ms")
    for name, value in ratios.items():
        print(f"{name:<34}{value:>10.1f} x")
    if options.json:
        report = {"setting": setting, "milliseconds": milliseconds, "ratios": ratios}
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
