"""Clips that are in two lists, told by what is in them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from cavmae_sync.audit.overlap import check_apart, shared_clips, without_file
from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.errors import DatasetError
from cavmae_sync.media import read_clip, write_video

from ..small_videos import SMALL, make_video

Prepare = Callable[..., PreparedDataset]


@pytest.fixture
def prepared_of(tmp_path: Path) -> Prepare:
    """Prepares the files of a folder."""

    def run(folder: Path, config: PrepareConfig = SMALL) -> PreparedDataset:
        out = tmp_path / f"prepared-{folder.name}-{config.clip_seconds}"
        prepare(folder, out=out, config=config, num_workers=0)
        return PreparedDataset.open(out)

    return run


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Four videos of 4 s, hence two clips each."""
    for seed in range(4):
        make_talk(tmp_path / "files" / f"v{seed}.mp4", seed=seed)
    return tmp_path / "files"


def make_talk(path: Path, *, seed: int) -> None:
    """4 s of a moving square, and bursts of noise in changing bands: a sound with features."""
    generator = np.random.default_rng(seed)
    spectra = np.fft.rfft(generator.normal(size=(40, 1600)), axis=1)
    low = generator.integers(5, 500, 40)
    for spectrum, first in zip(spectra, low, strict=True):
        spectrum[:first] *= 0.05
        spectrum[first + 120 :] *= 0.05
    noise_S = np.fft.irfft(spectra, axis=1).reshape(-1)
    waveform_S = (0.3 * noise_S / np.abs(noise_S).max()).astype(np.float32)
    frames = []
    for t in range(40):
        frame_HWC = np.full((72, 96, 3), 90, np.uint8)
        frame_HWC[20:44, t * 2 : t * 2 + 16] = generator.integers(0, 255, 3)
        frames.append(frame_HWC)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, frames, frames_per_second=10, waveform_S=waveform_S)


def packed(target: Path, *, pictures: Path, sound: Path) -> None:
    """The packets of one file's pictures and another's sound in a file, not encoded again."""
    with av.open(pictures) as seen, av.open(sound) as heard, av.open(target, "w") as out:
        streams = (seen.streams.video[0], heard.streams.audio[0])
        templates = {given: out.add_stream_from_template(given) for given in streams}
        for given in streams:
            for packet in given.container.demux(given):
                if packet.dts is not None:
                    packet.stream = templates[given]
                    out.mux(packet)


def encoded_again(source: Path, target: Path) -> None:
    """Decoded and encoded anew."""
    with av.open(source) as opened:
        frames = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
    clip = read_clip(source, start_seconds=0.0, clip_seconds=4.0)
    write_video(target, frames, frames_per_second=10, waveform_S=0.5 * clip.waveform_S)


def told(clips: PreparedDataset, others: PreparedDataset, **how: bool) -> list[tuple[str, str, str]]:
    return [(each.clip_id, each.other_id, each.how) for each in shared_clips(clips, others, **how)]


def test_nothing_is_shared_by_different_videos(files: Path, prepared_of: Prepare, tmp_path: Path):
    make_talk(tmp_path / "others" / "v0.mp4", seed=9)  # the same name, another video
    assert told(prepared_of(files), prepared_of(tmp_path / "others"), by_likeness=True) == []


def test_copies_under_other_names_are_found(files: Path, prepared_of: Prepare, tmp_path: Path):
    (tmp_path / "renamed").mkdir()
    make_talk(tmp_path / "renamed" / "new.mp4", seed=9)
    shutil.copy(files / "v2.mp4", tmp_path / "renamed" / "other name.mp4")
    assert told(prepared_of(tmp_path / "renamed"), prepared_of(files)) == [
        ("other name@0.000", "v2@0.000", "same file"),
        ("other name@2.000", "v2@2.000", "same file"),
    ]


def test_other_stretches_of_one_file_are_found(files: Path, prepared_of: Prepare):
    clips = prepared_of(files)
    first, second = clips.subset(range(0, 8, 2)), clips.subset(range(1, 8, 2))
    assert told(second, first)[0] == ("v0@2.000", "v0@0.000", "another stretch of the same file")
    assert len(told(second, first)) == 4
    other_windows = prepared_of(files, SMALL.model_copy(update={"clip_seconds": 1.5}))
    assert len(told(other_windows, clips)) == len(other_windows)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a byte more.mp4", "same sound"),
        ("packed.mov", "same sound"),
        ("packed.mkv", "same sound, encoded again"),  # begins 64 ms later: other pictures are chosen
        ("again.mp4", "same sound, encoded again"),
    ],
)
def test_the_same_clip_in_another_file_is_found(files, prepared_of: Prepare, tmp_path: Path, name, how):
    changed, source = tmp_path / "changed" / name, files / "v1.mp4"
    changed.parent.mkdir()
    if name == "a byte more.mp4":
        changed.write_bytes(source.read_bytes() + b"\0\0\0\x08free")
    elif name == "again.mp4":
        encoded_again(source, changed)
    else:
        packed(changed, pictures=source, sound=source)
    clips, others = prepared_of(changed.parent), prepared_of(files)
    found = told(clips, others, by_likeness=True)
    assert [each[1:] for each in found] == [("v1@0.000", how), ("v1@2.000", how)]
    with pytest.raises(DatasetError, match=how):
        check_apart(clips, others)


def test_the_pictures_alone_or_the_sound_alone_are_enough(files: Path, prepared_of: Prepare, tmp_path: Path):
    source, other = files / "v3.mp4", tmp_path / "other.mp4"
    make_talk(other, seed=9)
    mixed = {
        "pictures": {"pictures": source, "sound": other},
        "sound": {"pictures": other, "sound": source},
    }
    for name, parts in mixed.items():
        (tmp_path / name).mkdir()
        packed(tmp_path / name / "mixed.mp4", **parts)
        found = told(prepared_of(tmp_path / name), prepared_of(files))
        assert [each[1:] for each in found] == [
            ("v3@0.000", f"same {name}"), ("v3@2.000", f"same {name}"),
        ]  # fmt: skip


def test_silence_and_still_pictures_are_like_any_other(prepared_of: Prepare, tmp_path: Path):
    for folder, seed in (("a", 1), ("b", 2)):
        make_video(tmp_path / folder / "silent.mp4", seed=seed, sounds=False)
        make_video(tmp_path / folder / "still.mp4", seed=seed, moves=False)
    shutil.copy(tmp_path / "a" / "still.mp4", tmp_path / "b" / "copy.mp4")
    assert told(prepared_of(tmp_path / "b"), prepared_of(tmp_path / "a")) == [
        ("copy", "still", "same file"),
    ]


def test_it_is_refused_by_name_and_allowed_by_a_word(files: Path, prepared_of: Prepare):
    clips = prepared_of(files)
    test, train = clips.subset([0, 1, 7]), clips.subset([1, 2, 3, 4])
    with pytest.raises(DatasetError, match=r"2 of 3 clips of .* are also in .*: v0@0.000 \(another stretch"):
        check_apart(test, train)
    assert len(check_apart(test, train, allow_overlap=True)) == 2
    assert check_apart(clips.subset([6, 7]), train) == ()
    with pytest.raises(DatasetError, match=r"v2@0.000 \(same file\) and 3 more"):
        check_apart(clips, clips)


def test_clips_of_one_file_are_left_out(files: Path, prepared_of: Prepare, tmp_path: Path):
    clips = prepared_of(files)
    shutil.copy(files / "v0.mp4", tmp_path / "elsewhere.mp4")
    assert without_file(clips, tmp_path / "elsewhere.mp4").clip_ids == clips.clip_ids[2:]
    make_video(tmp_path / "new.mp4", seed=9)
    assert without_file(clips, tmp_path / "new.mp4").clip_ids == clips.clip_ids
