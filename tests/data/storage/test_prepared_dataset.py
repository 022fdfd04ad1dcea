"""An opened dataset: what is read equals what was prepared, and damage is noticed."""

import io
import json
import pickle
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from cavmae_sync.data import PreparedDataset
from cavmae_sync.data.storage.mapped_table import MAPPED_FILE, open_table, write_mapped
from cavmae_sync.data.storage.tables import CLIPS_SCHEMA, read_table, write_table
from cavmae_sync.errors import DatasetError
from cavmae_sync.inputs import log_mel, resize_and_crop
from cavmae_sync.media import Clip, read_clip


@pytest.fixture(scope="module")
def original(videos: Path) -> Clip:
    return read_clip(videos / "b" / "dog.mp4", clip_seconds=2.0, num_frames=4)


@pytest.fixture
def copy(prepared_videos: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared_videos, tmp_path / "copy"))


def test_frames_are_those_of_the_video(clips: PreparedDataset, original: Clip) -> None:
    expected_THWC = resize_and_crop(original.frames_THWC, pixels=64).numpy().astype(int)
    for t in range(4):
        error = np.abs(clips.read_frame(1, t) - expected_THWC[t])
        assert error.mean() < 2  # grey levels, of JPEG at quality 92
        assert error.max() < 32
        others = [np.abs(clips.read_frame(1, t) - expected_THWC[o]).mean() for o in range(4) if o != t]
        assert min(others) > 2 * error.mean()


def test_times_of_the_frames_are_those_of_the_video(clips: PreparedDataset, original: Clip) -> None:
    assert np.array_equal(clips.frame_seconds(1), original.frame_seconds_T)
    reordered = clips.subset([3, 1])
    assert reordered.frame_seconds(1).tolist() == list(reordered.row(1).frame_seconds)


def test_log_mel_is_that_of_the_sound_within_float16(clips: PreparedDataset, original: Clip) -> None:
    """Values lie within 16, where float16 is good to 2**-8."""
    expected_NM = log_mel(original.waveform_S).numpy()
    assert clips.num_spectrogram_frames(1) == len(expected_NM) == 198
    stored_NM = clips.read_log_mel_rows(1, start=0, stop=198)
    assert stored_NM.dtype == np.float16
    assert np.abs(stored_NM.astype(np.float32) - expected_NM).max() <= 2**-8


def test_any_rows_can_be_read_alone(clips: PreparedDataset) -> None:
    whole_NM = clips.read_log_mel_rows(2, start=0, stop=198)
    for start, stop in [(0, 1), (17, 90), (197, 198), (50, 50)]:
        assert np.array_equal(clips.read_log_mel_rows(2, start=start, stop=stop), whole_NM[start:stop])


def test_sound_is_that_of_the_video_within_16_bits(clips: PreparedDataset, original: Clip) -> None:
    assert np.abs(clips.read_waveform(1) - original.waveform_S).max() <= 2**-16


def test_what_is_outside_a_clip_is_refused(clips: PreparedDataset) -> None:
    with pytest.raises(IndexError, match="clip 8 of a dataset of 8 clips"):
        clips.read_frame(8, 0)
    with pytest.raises(IndexError, match="frame 4 of clip 0: a clip has frames 0 to 3"):
        clips.read_frame(0, 4)
    with pytest.raises(IndexError, match=r"rows \[90, 199\) of clip 0, whose log-mel has 198 rows"):
        clips.read_log_mel_rows(0, start=90, stop=199)


def test_a_subset_is_a_dataset(clips: PreparedDataset) -> None:
    part = clips.subset([5, 1])
    assert part.clip_ids == ["quiet", "b/dog"]
    assert np.array_equal(part.read_frame(1, 2), clips.read_frame(1, 2))
    assert clips.head(2).clip_ids == clips.clip_ids[:2]
    assert len(clips.head(100)) == 8
    assert part.subset([1]).clip_ids == ["b/dog"]


def test_the_list_hash_tells_lists_apart(clips: PreparedDataset, prepared_videos: Path) -> None:
    assert clips.list_sha256 == json.loads((prepared_videos / "dataset.json").read_text())["list_sha256"]
    hashes = {clips.list_sha256, clips.subset([0, 1]).list_sha256, clips.subset([1, 0]).list_sha256}
    assert len(hashes) == 3
    assert clips.head(8).list_sha256 == clips.list_sha256


def test_a_pickled_dataset_reads_on(clips: PreparedDataset) -> None:
    part = clips.subset([3, 4])
    before = part.read_frame(1, 3)
    again = pickle.loads(pickle.dumps(part))
    assert again.clip_ids == part.clip_ids
    assert np.array_equal(again.read_frame(1, 3), before)


def test_a_subset_of_a_subset_counts_its_own_clips(clips: PreparedDataset) -> None:
    part = clips.subset([3, 4, 6]).subset(np.array([2, 0]))
    ids = clips.clip_ids
    assert part.clip_ids == [ids[6], ids[3]]
    assert part.labels == [clips.labels[6], clips.labels[3]]
    assert part.row(1) == clips.row(3)
    assert part.ids_and_labels([1, 1]) == ((ids[3],) * 2, (clips.labels[3],) * 2)
    assert part.list_sha256 == clips.subset([6, 3]).list_sha256
    assert pickle.loads(pickle.dumps(part)).row(0) == clips.row(6)
    assert len(part.subset([])) == 0
    for outside in (2, -1):
        with pytest.raises(IndexError, match=f"clip {outside} of a dataset of 2 clips"):
            part.subset([0, outside])


def test_several_frames_are_each_of_them(clips: PreparedDataset) -> None:
    frames = clips.read_frames([(1, 3), (0, 0), (1, 3)])
    assert frames.dtype == torch.uint8
    for frame_HWC, place in zip(frames, [(1, 3), (0, 0), (1, 3)], strict=True):
        assert np.array_equal(frame_HWC, clips.read_frame(*place))


def _record(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "dataset.json").read_text())


def test_the_mapped_table_is_the_table(copy: Path) -> None:
    record = _record(copy)
    clips = read_table(copy / "clips.parquet", CLIPS_SCHEMA)
    write_mapped(clips, copy, record)
    with (copy / "clips.parquet").open("rb+") as file:  # what is mapped is not read
        file.seek(4)
        file.write(bytes(100))
    mapped = open_table(copy, record)
    assert mapped.equals(clips)
    assert mapped.schema == CLIPS_SCHEMA
    assert PreparedDataset.open(copy).row(2).shard == clips["shard"][2].as_py()


def test_a_table_that_was_changed_is_read(copy: Path) -> None:
    """`clips.parquet` is what counts: other labels in it are not to be missed."""
    table = read_table(copy / "clips.parquet", CLIPS_SCHEMA)
    place = CLIPS_SCHEMA.get_field_index("labels")
    others = pa.array([["another"]] * len(table), CLIPS_SCHEMA.field(place).type)
    write_table(table.set_column(place, CLIPS_SCHEMA.field(place), others), copy / "clips.parquet")
    assert PreparedDataset.open(copy).labels == [("another",)] * len(table)


@pytest.mark.parametrize("damage", ["none", "cut", "of another dataset"])
def test_without_its_mapped_table_a_dataset_is_read(copy: Path, damage: str) -> None:
    record = _record(copy)
    clips = read_table(copy / "clips.parquet", CLIPS_SCHEMA)
    mapped = copy / MAPPED_FILE
    if damage == "none":
        mapped.unlink(missing_ok=True)
    elif damage == "cut":
        write_mapped(clips, copy, record)
        mapped.write_bytes(mapped.read_bytes()[:-100])
    else:  # the same clips with other frames, so that every place is another
        shards = [shard | {"sha256": shard["sha256"][::-1]} for shard in record["shards"]]
        write_mapped(clips.slice(0, 3), copy, record | {"shards": shards})
    assert open_table(copy, record).equals(clips)


def test_closed_shards_open_again(clips: PreparedDataset) -> None:
    with clips:
        before = clips.read_frame(0, 0)
    assert np.array_equal(clips.read_frame(0, 0), before)


def test_shards_are_plain_webdataset(prepared_videos: Path, clips: PreparedDataset) -> None:
    """Read without our store: the key ends at the first dot, every clip has all its members."""
    found: dict[str, dict[str, bytes]] = {}
    for path in sorted((prepared_videos / "shards").iterdir()):
        with tarfile.open(path) as archive:
            for info in archive:
                folder, slash, name = info.name.rpartition("/")
                key, _, ending = name.partition(".")
                member = archive.extractfile(info)
                assert member is not None
                found.setdefault(folder + slash + key, {})[ending] = member.read()
    assert len(found) == 8
    clip = found["long@2%2E000"]
    assert list(clip) == ["00.jpg", "01.jpg", "02.jpg", "03.jpg", "flac", "mel.npy", "json"]
    about = json.loads(clip["json"])
    assert (about["id"], about["start_seconds"], about["labels"]) == ("long@2.000", 2.0, ["song"])
    assert np.array_equal(np.load(io.BytesIO(clip["mel.npy"])), clips.read_log_mel_rows(3, start=0, stop=198))
    with Image.open(io.BytesIO(clip["02.jpg"])) as picture:
        assert np.array_equal(np.array(picture), clips.read_frame(3, 2))


def test_a_sound_dataset_has_no_problems(clips: PreparedDataset) -> None:
    assert clips.check() == ()


def test_a_changed_byte_is_found(copy: Path) -> None:
    shard = next((copy / "shards").iterdir())
    data = bytearray(shard.read_bytes())
    data[5000] ^= 1
    shard.write_bytes(data)
    assert PreparedDataset.open(copy).check() == (
        f"{shard.name} is not the file that was written: its SHA-256 differs",
    )


def test_a_short_shard_is_refused(copy: Path) -> None:
    shard = next((copy / "shards").iterdir())
    shard.write_bytes(shard.read_bytes()[:-512])
    with pytest.raises(DatasetError, match=f"{shard.name} should have .* bytes but has"):
        PreparedDataset.open(copy)


def test_a_missing_shard_is_refused(copy: Path) -> None:
    next((copy / "shards").iterdir()).unlink()
    with pytest.raises(DatasetError, match="is missing"):
        PreparedDataset.open(copy)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not a complete prepared dataset"),
        ("{", "is not JSON"),
        ("[]", "holds list instead of an object"),
        ("{}", "schema version None, but this cavmae-sync reads version 1"),
        ('{"schema_version": 99}', "schema version 99"),
    ],
)
def test_another_folder_is_refused(copy: Path, content: str | None, message: str) -> None:
    (copy / "dataset.json").unlink()
    if content is not None:
        (copy / "dataset.json").write_text(content)
    with pytest.raises(DatasetError, match=message):
        PreparedDataset.open(copy)


def test_a_damaged_table_is_refused(copy: Path) -> None:
    (copy / MAPPED_FILE).unlink(missing_ok=True)
    (copy / "clips.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DatasetError, match=r"clips\.parquet cannot be read"):
        PreparedDataset.open(copy)
