"""How like a re-encode is to its clip, and different clips to one another: the thresholds of an audit.

python benchmarks/studies/audit_fingerprints.py --videos FOLDER --num 40 [--dataset PREPARED]
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from cavmae_sync.audit.duplicates import PICTURES, SOUNDS
from cavmae_sync.audit.fingerprint import picture_code, sound_code
from cavmae_sync.audit.matching import Kind, matches
from cavmae_sync.data import PrepareConfig, PreparedDataset
from cavmae_sync.inputs import log_mel, resize_and_crop
from cavmae_sync.media import probe, read_clip

CONFIG = PrepareConfig()
SECONDS = 10.0
Codes = tuple[NDArray[np.int8], NDArray[np.int8]]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A way to encode a clip again."""

    ending: str = "mp4"
    video: str = "libx264"
    options: dict[str, str] = field(default_factory=dict)
    scale: float = 1.0
    audio: str = "aac"
    bits: int = 64_000
    layout: str = "mono"
    gain: float = 1.0
    cut: float = 0.0
    keep: float = 1.0


VARIANTS = {
    "h264 crf 38, aac 32k": Variant(options={"crf": "38"}, bits=32_000),
    "half size, mpeg4, mp3 64k, -6 dB": Variant(
        ending="mkv", video="mpeg4", scale=0.5, audio="mp3", gain=0.5
    ),
    "1.5 x, vp8, opus stereo, +6 dB": Variant(
        ending="webm",
        video="libvpx",
        options={"deadline": "realtime"},
        scale=1.5,
        audio="libopus",
        bits=96_000,
        layout="stereo",
        gain=2.0,
    ),
    "0.2 s cut off the start, crf 28, aac 64k": Variant(options={"crf": "28"}, cut=0.2),
    "0.2 s cut, half size, crf 35, -6 dB": Variant(
        options={"crf": "35"}, scale=0.5, bits=48_000, layout="stereo", gain=0.5, cut=0.2
    ),
    "first 60 % only": Variant(options={"crf": "23"}, keep=0.6),
}


def reencode(source: Path, out: Path, variant: Variant) -> None:
    """Encode the first seconds of a video again. Rotation marks are lost."""
    seconds = min(probe(source).duration_seconds or SECONDS, SECONDS)
    stop = variant.cut + (seconds - variant.cut) * variant.keep
    rate = 48_000 if variant.audio == "libopus" else 44_100
    with av.open(str(source)) as given, av.open(str(out), "w") as made:
        picture, sound = given.streams.video[0], given.streams.audio[0]
        per_second = Fraction(picture.average_rate or 25).limit_denominator(1000)
        video: Any = made.add_stream(variant.video, rate=per_second, options=variant.options)
        video.width, video.height = (
            int(side * variant.scale) // 2 * 2 for side in (picture.width, picture.height)
        )
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = Fraction(1, 90_000 if variant.video == "libx264" else 1000)
        if variant.video == "libvpx":
            video.bit_rate = 500_000
        audio: Any = made.add_stream(variant.audio, rate=rate, layout=variant.layout)
        audio.bit_rate = variant.bits
        to_floats = av.AudioResampler(format="fltp", layout=sound.layout, rate=rate)
        to_codec = av.AudioResampler(format=audio.format.name, layout=variant.layout, rate=rate)
        written = 0
        decoded: Any = given.decode(picture, sound)
        for frame in decoded:
            if frame.time is None or not variant.cut <= frame.time < stop:
                continue
            if isinstance(frame, av.VideoFrame):
                made.mux(video.encode(_scaled(frame, video, variant)))
                continue
            for part in to_floats.resample(frame):
                samples = np.clip(part.to_ndarray() * variant.gain, -1, 1).astype(np.float32)
                louder = av.AudioFrame.from_ndarray(samples, format="fltp", layout=part.layout.name)
                louder.sample_rate, louder.pts, louder.time_base = rate, written, Fraction(1, rate)
                written += samples.shape[1]
                for ready in to_codec.resample(louder):
                    made.mux(audio.encode(ready))
        for ready in to_codec.resample(None):
            made.mux(audio.encode(ready))
        made.mux(audio.encode(None))
        made.mux(video.encode(None))


def _scaled(frame: av.VideoFrame, video: Any, variant: Variant) -> av.VideoFrame:
    seconds = (frame.time or 0.0) - variant.cut  # before: the scaled frame may be the frame itself
    scaled = frame.reformat(video.width, video.height, "yuv420p")
    scaled.time_base = video.codec_context.time_base
    scaled.pts = round(seconds / scaled.time_base)
    scaled.pict_type = 0
    return scaled


def codes_of(path: Path) -> Codes:
    clip = read_clip(path, min_seconds=0.5)
    frames_THWC = resize_and_crop(clip.frames_THWC, pixels=CONFIG.frame_pixels).numpy()
    return picture_code(frames_THWC), sound_code(log_mel(clip.waveform_S).numpy())


def likeness(one: NDArray[np.int8], other: NDArray[np.int8], kind: Kind) -> float:
    """NaN where one of them has too few signs."""
    anything = Kind(
        least_likeness=-1.0,
        least_places=kind.least_places,
        least_windows=kind.least_windows,
        most_moved=kind.most_moved,
    )
    found = matches([one, other], anything)
    return found[0].likeness if found else float("nan")


def print_same(files: Sequence[Path]) -> None:
    found: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for source in files:
            original = codes_of(source)
            for name, variant in VARIANTS.items():
                out = Path(folder) / f"again.{variant.ending}"
                reencode(source, out, variant)
                made = codes_of(out)
                for place, (what, kind) in enumerate((("picture", PICTURES), ("sound", SOUNDS))):
                    values = found.setdefault((name, what), [])
                    values.append(likeness(original[place], made[place], kind))
    for (name, what), values in found.items():
        known = np.array([value for value in values if not np.isnan(value)])
        least = (PICTURES if what == "picture" else SOUNDS).least_likeness
        print(
            f"{name:42s} {what:8s} clips {len(known)}, without code {len(values) - len(known)}: "
            f"min {known.min():.2f}, 5 % {np.quantile(known, 0.05):.2f}, median {np.median(known):.2f}, "
            f"found {(known >= least).sum()}"
        )


def print_different(dataset: PreparedDataset) -> None:
    pictures: list[NDArray[np.int8]] = []
    sounds: list[NDArray[np.int8]] = []
    for index in range(len(dataset)):
        frames = [dataset.read_frame(index, frame) for frame in range(dataset.num_frames)]
        pictures.append(picture_code(np.stack(frames)))
        stop = dataset.num_spectrogram_frames(index)
        sounds.append(sound_code(dataset.read_log_mel_rows(index, start=0, stop=stop)))
    for what, codes, kind in (("picture", pictures, PICTURES), ("sound", sounds, SOUNDS)):
        anything = Kind(
            least_likeness=-1.0,
            least_places=kind.least_places,
            least_windows=kind.least_windows,
            most_moved=kind.most_moved,
        )
        pairs = matches(codes, anything)
        values = np.array([pair.likeness for pair in pairs])
        alike = [
            pair.likeness
            for pair in pairs
            if set(dataset.clip_labels(pair.first)) & set(dataset.clip_labels(pair.second))
        ]
        quantiles = " ".join(f"{value:.2f}" for value in np.quantile(values, [0.5, 0.99, 0.999, 0.9999]))
        print(
            f"different clips, {what}: {len(values)} pairs, quantiles .5 .99 .999 .9999: {quantiles}, "
            f"max {values.max():.2f}; of one class {len(alike)} pairs, max {max(alike):.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--videos", type=Path, action="append", default=[])
    parser.add_argument("--num", type=int, default=40)
    parser.add_argument("--dataset", type=Path)
    args = parser.parse_args()
    files = [path for folder in args.videos for path in sorted(folder.iterdir())[: args.num]]
    if files:
        print_same(files)
    if args.dataset:
        print_different(PreparedDataset.open(args.dataset))


if __name__ == "__main__":
    main()
