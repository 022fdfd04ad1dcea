"""Where clicks are heard against the flashes they belong to, in many files: here and by FFmpeg.

    python -m benchmarks.studies.clicks_and_flashes [--out FILE.json]

Needs the ffmpeg command line, which writes the files and reads them for comparison. Prints the table of
docs/results.md. Each film has five flashes of 120 ms with a click at the start of each.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import wave
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.errors import MediaError
from cavmae_sync.media import read_audio
from cavmae_sync.media.video_frames import decode_frames

FLASHES = (1.0, 2.4, 4.0, 5.6, 7.2)
SECONDS, RATE, HEIGHT, WIDTH, SOUND_HZ = 8.0, 25, 64, 96, 48_000

#: Name and the encoder's words, of the ending of the file.
COMBINATIONS: tuple[tuple[str, str], ...] = (
    ("h264_aac.mp4", "-c:v libx264 -c:a aac"),
    ("h264_nob_aac.mp4", "-c:v libx264 -bf 0 -c:a aac"),
    ("h264_mp3.mp4", "-c:v libx264 -c:a libmp3lame"),
    ("hevc_aac.mp4", "-c:v libx265 -x265-params log-level=none -c:a aac"),
    ("h264_opus.mp4", "-c:v libx264 -c:a libopus"),
    ("fragmented.mp4", "-c:v libx264 -c:a aac -movflags frag_keyframe+empty_moov"),
    ("h264_pcm.mov", "-c:v libx264 -c:a pcm_s16le"),
    ("mjpeg_pcm.mov", "-c:v mjpeg -pix_fmt yuvj420p -c:a pcm_s24le"),
    ("prores_alac.mov", "-c:v prores_ks -c:a alac"),
    ("h264_aac.mkv", "-c:v libx264 -c:a aac"),
    ("h264_ac3.mkv", "-c:v libx264 -c:a ac3"),
    ("h264_flac.mkv", "-c:v libx264 -c:a flac"),
    ("h264_vorbis.mkv", "-c:v libx264 -c:a libvorbis"),
    ("mpeg4_mp3.mkv", "-c:v mpeg4 -bf 2 -c:a libmp3lame"),
    ("vp9_opus.webm", "-c:v libvpx-vp9 -deadline realtime -c:a libopus"),
    ("vp8_vorbis.webm", "-c:v libvpx -deadline realtime -c:a libvorbis"),
    ("vp9_opus_60ms.webm", "-c:v libvpx-vp9 -deadline realtime -c:a libopus -frame_duration 60"),
    ("h264_aac.ts", "-c:v libx264 -c:a aac"),
    ("h264_ac3.ts", "-c:v libx264 -c:a ac3"),
    ("mpeg2_mp2.ts", "-c:v mpeg2video -bf 2 -c:a mp2"),
    ("mpeg2_mp2.mpg", "-c:v mpeg2video -bf 2 -c:a mp2"),
    ("mpeg1_mp2.mpg", "-c:v mpeg1video -c:a mp2"),
    ("h264_aac.flv", "-c:v libx264 -c:a aac"),
    ("flv1_mp3.flv", "-c:v flv -ar 44100 -c:a libmp3lame"),
    ("theora_vorbis.ogv", "-c:v libtheora -c:a libvorbis"),
    ("h264_pcm.avi", "-c:v libx264 -bf 0 -c:a pcm_s16le"),
    ("h264_bframes_pcm.avi", "-c:v libx264 -bf 2 -c:a pcm_s16le"),
    ("mpeg4_bframes_pcm.avi", "-c:v mpeg4 -bf 2 -c:a pcm_s16le"),
    ("mpeg4_mp3.avi", "-c:v mpeg4 -c:a libmp3lame"),
    ("wmv2_wma.asf", "-c:v wmv2 -c:a wmav2"),
    ("wmv2_wma.wmv", "-c:v wmv2 -c:a wmav2"),
    ("h264_bframes_mp3.asf", "-c:v libx264 -bf 2 -c:a libmp3lame -f asf"),
    ("h264_pcm.nut", "-c:v libx264 -c:a pcm_s16le"),
    ("mpeg2_pcm.mxf", "-c:v mpeg2video -c:a pcm_s16le"),
    ("jitter_11ms.mkv", "-c:v libx264 -c:a aac -bsf:a setts=ts=TS+11*(2*mod(N\\,2)-1)"),
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """What was found in one film; times in ms, None where it could not be read.

    Attributes:
        name: The film.
        here: Click minus flash by this package: mean, and the largest difference of one from that mean.
        ffmpeg: The same by the command line.
    """

    name: str
    here: tuple[float, float] | None
    ffmpeg: tuple[float, float] | None
    note: str = ""


def main() -> None:
    """Make the films, read them both ways, print the table."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    arguments.add_argument("--out", type=Path, help="write the rows as JSON too")
    out = arguments.parse_args().out
    if shutil.which("ffmpeg") is None:
        sys.exit("The ffmpeg command line is needed. Install it, and run again.")
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(Path(folder), name, words) for name, words in COMBINATIONS]
    print("\n".join(table(rows)))
    if out is not None:
        out.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")


def measure(folder: Path, name: str, words: str) -> Row:
    """Write one film and read it both ways."""
    path = folder / name
    made = run([*source_words(folder), *words.split(), "-y", str(path)])
    if made.returncode:
        return Row(name=name, here=None, ffmpeg=None, note="this ffmpeg cannot write it")
    try:
        here = difference(flashes_here(path), clicks(read_audio(path), 16_000))
    except MediaError as error:
        return Row(name=name, here=None, ffmpeg=by_ffmpeg(path), note=str(error))
    return Row(name=name, here=here, ffmpeg=by_ffmpeg(path))


def source_words(folder: Path) -> list[str]:
    """Inputs of the encoder: raw pictures and PCM, made once."""
    pictures, sound = folder / "pictures.yuv", folder / "sound.wav"
    if not sound.exists():
        times = np.arange(round(SECONDS * RATE)) / RATE
        is_flash = [any(flash <= t + 1e-9 < flash + 0.12 for flash in FLASHES) for t in times]
        chroma = bytes([128]) * (HEIGHT * WIDTH // 2)
        pictures.write_bytes(
            b"".join(bytes([230 if on else 30]) * (HEIGHT * WIDTH) + chroma for on in is_flash)
        )
        with wave.open(str(sound), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SOUND_HZ)
            file.writeframes((clicking() * 32_767).astype("<i2").tobytes())
    raw = f"-f rawvideo -pix_fmt yuv420p -s {WIDTH}x{HEIGHT} -r {RATE}".split()
    return ["-v", "error", *raw, "-i", str(pictures), "-i", str(sound)]


def clicking() -> NDArray[np.float64]:
    """Faint noise, and at every flash 20 ms of a decaying square tone."""
    sound_S = 0.003 * np.random.default_rng(0).standard_normal(round(SECONDS * SOUND_HZ))
    t = np.arange(SOUND_HZ // 50) / SOUND_HZ
    click_S = 0.9 * np.sign(np.sin(2 * np.pi * 1000 * t + 1e-6)) * np.exp(-t / 0.006)
    for flash in FLASHES:
        first = round(flash * SOUND_HZ)
        sound_S[first : first + click_S.size] += click_S
    return sound_S.clip(-1, 1)


def flashes_here(path: Path) -> NDArray[np.float64]:
    """When frames become bright, by this package."""
    shown = list(decode_frames(path, from_seconds=0.0))
    levels = np.array([frame.av_frame.to_ndarray(format="gray").mean() for frame in shown])
    return rises(np.array([frame.seconds for frame in shown]), levels)


def by_ffmpeg(path: Path) -> tuple[float, float] | None:
    """Click minus flash by the command line."""
    gray = [
        "-vf",
        "scale=16:16,showinfo",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "gray",
        "-fps_mode",
        "passthrough",
        "-",
    ]
    pictures = run(["-v", "info", "-copyts", "-i", str(path), "-map", "0:v:0", *gray.split()])
    said = pictures.stderr.decode(errors="replace")
    found = re.findall(r"showinfo.*? n: *\d+ pts: *\S+ pts_time:(\S+)", said)
    levels = np.frombuffer(pictures.stdout, np.uint8).reshape(-1, 256).mean(axis=1)
    size = min(len(found), levels.size)
    mono = f"-map 0:a:0 -ac 1 -af aresample=async=1:first_pts=0 -ar {SOUND_HZ} -f f32le -"
    sound = run(["-v", "error", "-copyts", "-i", str(path), *mono.split()])
    sound_S = np.frombuffer(sound.stdout, np.float32)
    return difference(
        rises(np.array([float(t) for t in found[:size]]), levels[:size]), clicks(sound_S, SOUND_HZ)
    )


def rises(seconds: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """When levels pass the middle upwards."""
    is_high = levels > (levels.min() + levels.max()) / 2
    return seconds[1:][is_high[1:] & ~is_high[:-1]]


def clicks(sound_S: NDArray[np.float32], rate_hz: int) -> NDArray[np.float64]:
    """When sound becomes loud, at most three times a second."""
    loud = np.flatnonzero(np.abs(sound_S) > 0.4 * np.abs(sound_S).max())
    return loud[np.r_[True, np.diff(loud) > rate_hz * 0.3]] / rate_hz


def difference(flashes: NDArray[np.float64], heard: NDArray[np.float64]) -> tuple[float, float] | None:
    """Mean of click minus flash and how far one is from it, ms; None unless there are as many."""
    if len(flashes) != len(heard) or not len(flashes):
        return None
    away = (heard - flashes) * 1000
    return float(away.mean()), float(np.abs(away - away.mean()).max())


def run(words: list[str]) -> subprocess.CompletedProcess[bytes]:
    """ffmpeg with these words."""
    return subprocess.run(["ffmpeg", "-nostdin", *words], capture_output=True, check=False)


def table(rows: list[Row]) -> list[str]:
    """The rows in Markdown."""

    def shown(pair: tuple[float, float] | None) -> str:
        return "" if pair is None else f"{pair[0]:+.1f} (± {pair[1]:.1f})"

    lines = ["| film | here | ffmpeg | |", "|---|---:|---:|---|"]
    return lines + [f"| {row.name} | {shown(row.here)} | {shown(row.ffmpeg)} | {row.note} |" for row in rows]


if __name__ == "__main__":
    main()
