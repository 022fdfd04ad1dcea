"""The layout of CAV-MAE becomes a prepared dataset; what is missing is refused, never replaced."""

import json
import wave
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cavmae_sync.data import PrepareConfig, PreparedDataset, import_cavmae
from cavmae_sync.errors import DatasetError
from cavmae_sync.work import Share

CONFIG = PrepareConfig(num_frames=3, frame_pixels=32, sampling="uniform_left")


def write_wav(path: Path, *, seconds: float, rate_hz: int) -> None:
    time_S = np.arange(round(rate_hz * seconds)) / rate_hz
    samples_S = np.rint(10_000 * np.sin(2 * np.pi * 440 * time_S)).astype("<i2")
    path.parent.mkdir(exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples_S.tobytes())


def write_frame(path: Path, shade: int, *, side: int = 32) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), (shade, 255 - shade, 0)).save(path, "JPEG", quality=75)
    return path.read_bytes()


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """Six clips: good, 44.1 kHz, larger frames; and without sound, without a frame, with half a frame."""
    names = ["good", "fast", "large", "no_sound", "no_frame", "half_frame"]
    for name in names:
        write_wav(
            tmp_path / "wav" / f"{name}.wav", seconds=12.0, rate_hz=44_100 if name == "fast" else 16_000
        )
        for t in range(3):
            side = 48 if name == "large" else 32
            write_frame(tmp_path / "frames" / f"frame_{t}" / f"{name}.jpg", 60 * t, side=side)
    (tmp_path / "wav" / "no_sound.wav").unlink()
    (tmp_path / "frames" / "frame_1" / "no_frame.jpg").unlink()
    half = tmp_path / "frames" / "frame_2" / "half_frame.jpg"
    half.write_bytes(half.read_bytes()[:300])
    data = [
        {
            "video_id": name,
            "wav": f"wav/{name}.wav",
            "video_path": f"{tmp_path}/frames/",
            "labels": "/m/1,/m/2",
        }
        for name in names
    ]
    (tmp_path / "manifest.json").write_text(json.dumps({"data": data}))
    return tmp_path


def test_good_clips_are_taken_over(layout: Path) -> None:
    report = import_cavmae(layout / "manifest.json", out=layout / "out", config=CONFIG, num_workers=0)
    clips = PreparedDataset.open(layout / "out")
    assert clips.clip_ids == ["good", "fast", "large"]
    assert clips.labels == [("/m/1", "/m/2")] * 3
    assert report.rejected_by_reason == {"damaged": 1, "unreadable": 2}
    row = clips.row(0)
    assert row.frame_seconds == pytest.approx([0, 10 / 3, 20 / 3])
    assert row.num_spectrogram_frames == 1024
    assert clips.row(1).num_spectrogram_frames == 1024
    assert clips.check() == ()


def test_frames_of_the_right_size_are_kept_byte_for_byte(layout: Path) -> None:
    import_cavmae(layout / "manifest.json", out=layout / "out", config=CONFIG, num_workers=0)
    clips = PreparedDataset.open(layout / "out")
    row, shard = clips.row(0), (layout / "out" / "shards" / clips.row(0).shard).read_bytes()
    for t, (offset, length) in enumerate(zip(row.frame_offsets, row.frame_lengths, strict=True)):
        original = (layout / "frames" / f"frame_{t}" / "good.jpg").read_bytes()
        assert shard[offset : offset + length] == original
    assert clips.read_frame(2, 1).shape == (32, 32, 3)


def test_sound_of_another_rate_is_resampled(layout: Path) -> None:
    """The same 440 Hz tone, recorded at 16 and at 44.1 kHz."""
    import_cavmae(layout / "manifest.json", out=layout / "out", config=CONFIG, num_workers=0)
    clips = PreparedDataset.open(layout / "out")
    left_S, right_S = clips.read_waveform(0)[8000:16_000], clips.read_waveform(1)[8000:16_000]
    assert np.abs(left_S - right_S).max() < 0.01


def test_resampled_sounds_are_counted_also_when_resumed(layout: Path) -> None:
    """Each clip is a unit of its own, so the count is put together from records on disk."""
    config = CONFIG.model_copy(update={"files_per_shard": 1})
    for share in (Share(index=0, count=2), Share(index=1, count=2)):
        report = import_cavmae(
            layout / "manifest.json", out=layout / "out", config=config, num_workers=0, share=share
        )
    assert report.is_complete
    assert report.num_resampled == 1


def test_what_is_missing_is_named(layout: Path) -> None:
    import_cavmae(layout / "manifest.json", out=layout / "out", config=CONFIG, num_workers=0)
    rows = {row["file"]: row for row in pq.read_table(layout / "out" / "rejected.parquet").to_pylist()}
    assert rows["no_sound"]["reason"] == rows["no_frame"]["reason"] == "unreadable"
    assert rows["no_frame"]["message"].startswith("frames/frame_1/no_frame.jpg is missing")
    assert rows["half_frame"]["message"].startswith("frame 2 of half_frame is not a whole JPEG")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", 'whose key "data" is a list'),
        ('{"data": []}', 'whose key "data" is a list'),
        ('{"data": [3]}', "entry 0 is not an object"),
        ('{"data": [{"video_id": "a", "wav": "a.wav", "video_path": "f"}]}', "entry 0: 'labels' is None"),
        (
            '{"data": [{"video_id": "", "wav": "a", "video_path": "f", "labels": ""}]}',
            "entry 0: 'video_id' is ''",
        ),
        (
            '{"data": [{"video_id": "../a", "wav": "a", "video_path": "f", "labels": ""}]}',
            r"video_id '\.\./a' leads out of its folder",
        ),
    ],
)
def test_malformed_manifests_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(DatasetError, match=message):
        import_cavmae(tmp_path / "m.json", out=tmp_path / "out", num_workers=0)


def test_an_id_twice_is_refused(tmp_path: Path) -> None:
    item = {"video_id": "a", "wav": "a.wav", "video_path": "f", "labels": ""}
    (tmp_path / "m.json").write_text(json.dumps({"data": [item, item]}))
    with pytest.raises(DatasetError, match="entry 1: a is already entry 0"):
        import_cavmae(tmp_path / "m.json", out=tmp_path / "out", num_workers=0)


def write_layout(folder: Path, *, num_frames: int, num_clips: int = 3, prefix: str | None = None) -> Path:
    """Clips with sound and frames; paths of the manifest begin with `prefix`."""
    start = str(folder) if prefix is None else prefix
    names = [f"-bcdefghi{number:02d}_000030" for number in range(num_clips)]
    for name in names:
        write_wav(folder / "audio" / f"{name}.wav", seconds=2.0, rate_hz=16_000)
        for t in range(num_frames):
            write_frame(folder / "frames" / f"frame_{t}" / f"{name}.jpg", 10 * t)
    data = [
        {
            "video_id": name,
            "wav": f"{start}/audio/{name}.wav",
            "video_path": f"{start}/frames/",
            "labels": "vgg_1",
        }
        for name in names
    ]
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({"data": data}))
    return manifest


def test_a_folder_of_ten_frames_is_refused_as_a_whole_for_sixteen(tmp_path: Path) -> None:
    """Before any work: nothing is written. Both ways out are named (spec, defect 30)."""
    manifest = write_layout(tmp_path, num_frames=10)
    with pytest.raises(
        DatasetError,
        match=r"have 10 frames \(3 of 3 .* but num_frames=16\..*"
        r"Extract 16 frames of each video, or set num_frames=10 .* as plain CAV-MAE is\.",
    ):
        import_cavmae(manifest, out=tmp_path / "out", num_workers=0)
    assert not (tmp_path / "out").exists()
    config = PrepareConfig(num_frames=10, frame_pixels=32)
    assert import_cavmae(manifest, out=tmp_path / "out", config=config, num_workers=0).num_clips == 3
    assert PreparedDataset.open(tmp_path / "out").num_frames == 10


def test_a_folder_of_sixteen_frames_is_refused_as_a_whole_for_ten(tmp_path: Path) -> None:
    """Otherwise the first 62 % of the clip would be shown with the sound of all of it (defect 36)."""
    manifest = write_layout(tmp_path, num_frames=16)
    with pytest.raises(DatasetError, match=r"have 16 frames .* num_frames=10\..* Set num_frames=16 to take"):
        import_cavmae(manifest, out=tmp_path / "out", config=PrepareConfig(num_frames=10), num_workers=0)
    config = PrepareConfig(frame_pixels=32)
    assert import_cavmae(manifest, out=tmp_path / "out", config=config, num_workers=0).num_clips == 3


def test_a_few_clips_with_other_frames_do_not_refuse_the_rest(tmp_path: Path) -> None:
    manifest = write_layout(tmp_path, num_frames=4)
    (tmp_path / "frames" / "frame_3" / "-bcdefghi01_000030.jpg").unlink()
    config = PrepareConfig(num_frames=4, frame_pixels=32)
    report = import_cavmae(manifest, out=tmp_path / "out", config=config, num_workers=0)
    assert (report.num_clips, report.rejected_by_reason) == (2, {"unreadable": 1})


def test_the_placeholder_of_a_template_needs_a_root(tmp_path: Path) -> None:
    manifest = write_layout(tmp_path, num_frames=4, prefix="<YOUR_VGGS_PATH>")
    config = PrepareConfig(num_frames=4, frame_pixels=32)
    with pytest.raises(DatasetError, match=r"entry 0: '<YOUR_VGGS_PATH>/audio/.* placeholder .*--root"):
        import_cavmae(manifest, out=tmp_path / "out", config=config, num_workers=0)
    report = import_cavmae(manifest, out=tmp_path / "out", config=config, num_workers=0, root=tmp_path)
    assert report.num_clips == 3
    assert PreparedDataset.open(tmp_path / "out").labels == [("vgg_1",)] * 3


def test_names_are_found_however_accents_are_written(layout: Path) -> None:
    one_piece, two_pieces = "caf\u00e9", "cafe\u0301"
    for path in [*layout.rglob("good.jpg"), layout / "wav" / "good.wav"]:
        path.rename(path.with_name(f"{two_pieces}{path.suffix}"))
    manifest = layout / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("good", one_piece), encoding="utf-8")
    import_cavmae(manifest, out=layout / "out", config=CONFIG, num_workers=0)
    assert PreparedDataset.open(layout / "out").clip_ids == [one_piece, "fast", "large"]
