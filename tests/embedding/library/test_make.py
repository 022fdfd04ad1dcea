"""A folder of videos becomes a folder of vectors: the same bytes with any number of workers."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.embedding import Embedder, VisualEmbedding, embed_video
from cavmae_sync.embedding.library import Throughput, embed_library, open_library
from cavmae_sync.errors import DatasetError, TooManyRejectedError, WeightsError
from cavmae_sync.weights import reconfigured
from cavmae_sync.work import Share

from .conftest import SMALL, make_video

Contents = Callable[[Path], dict[str, bytes]]


def test_each_clip_has_the_vectors_that_embed_video_gives(
    videos: Path, library: Path, embedder: Embedder
) -> None:
    """Those of a long file too, which came in several pieces together with clips of other files."""
    opened = open_library(library)
    found = opened.embeddings()
    clips = opened.clips().to_pylist()
    long = [f"long@{start:.3f}" for start in range(7)]
    named = ["a/dog", "b 'ü' 音@0.000", "b 'ü' 音@1.000", *long, "z_copy"]
    assert [clip["id"] for clip in clips] == named
    rows = {(clip["source"], clip["start_seconds"]): row for row, clip in enumerate(clips)}
    num_compared = 0
    for source in {clip["source"] for clip in clips}:
        alone = embed_video(
            embedder, videos / source, clip_seconds=SMALL.clip_seconds, num_frames=SMALL.num_frames
        )
        for part in alone:
            if (source, part.clip.start_seconds) not in rows:
                continue  # shorter than its default takes, or longer than ours
            row = rows[source, part.clip.start_seconds]
            torch.testing.assert_close(found.audio_NTD[row], part.embedding.audio_TD, atol=2e-6, rtol=0)
            torch.testing.assert_close(found.visual_NTD[row], part.embedding.visual_TD, atol=2e-6, rtol=0)
            assert clips[row]["frame_seconds"] == part.embedding.frame_seconds_T.tolist()
            num_compared += 1
    assert num_compared >= 9


def test_ids_times_and_hashes_are_those_of_a_prepared_dataset(
    videos: Path, library: Path, tmp_path: Path
) -> None:
    """So the list has the same fingerprint, and scores of both can be compared."""
    config = PrepareConfig(num_frames=2, clip_seconds=1.0, min_seconds=0.5, frame_pixels=16)
    prepare(videos, out=tmp_path / "prepared", config=config, num_workers=0)
    prepared = PreparedDataset.open(tmp_path / "prepared")
    opened = open_library(library)
    assert opened.record["list_sha256"] == prepared.list_sha256
    assert opened.rejected().equals(pq.read_table(tmp_path / "prepared" / "rejected.parquet"))


def test_bad_files_are_rejected_whole_with_their_reason(library: Path, videos: Path) -> None:
    """`c.mp4` is damaged near its end: the pieces with its first clips had been encoded already."""
    rejected = open_library(library).rejected().to_pylist()
    assert [(row["file"], row["reason"]) for row in rejected] == [
        ("c.mp4", "damaged"),
        ("empty.mp4", "unreadable"),
        ("text.mp4", "unreadable"),
        ("notes.txt", "not_media"),
    ]
    assert rejected[0]["message"].startswith("c.mp4 is damaged: the video frame at 3.30 s")
    assert str(videos) not in json.dumps(rejected)


def test_any_number_of_workers_gives_the_same_bytes(
    videos: Path, library: Path, embedder: Embedder, tmp_path: Path, contents: Contents
) -> None:
    run = embed_library(embedder, videos, out=tmp_path / "out", config=SMALL, num_workers=2)
    assert contents(tmp_path / "out") == contents(library)
    assert 0 < run.throughput.waiting_seconds < run.throughput.seconds
    assert (run.throughput.num_files, run.throughput.num_rejected) == (7, 3)


def test_shares_in_any_order_give_the_same_bytes(
    videos: Path, library: Path, embedder: Embedder, tmp_path: Path, contents: Contents
) -> None:
    for index in (2, 0):
        share = Share(index=index, count=3)
        run = embed_library(embedder, videos, out=tmp_path, config=SMALL, num_workers=0, share=share)
        assert not run.report.is_complete
        with pytest.raises(DatasetError, match="is not a finished library"):
            open_library(tmp_path)
    assert run.report.num_files_rejected == 1
    last = Share(index=1, count=3)
    run = embed_library(embedder, videos, out=tmp_path, config=SMALL, num_workers=0, share=last)
    assert run.report.is_complete
    assert contents(tmp_path) == contents(library)


def test_running_again_only_counts(
    videos: Path, library: Path, embedder: Embedder, contents: Contents
) -> None:
    before = contents(library)
    run = embed_library(embedder, videos, out=library, config=SMALL, num_workers=0)
    assert run.throughput == Throughput()
    assert (run.report.num_clips, run.report.num_files_accepted, run.report.num_files_rejected) == (11, 4, 3)
    assert run.report.clip_seconds == pytest.approx(1.0 + 1.5 + 6.5 + 1.0)
    assert contents(library) == before


def test_progress_counts_files_and_never_goes_back(videos: Path, embedder: Embedder, tmp_path: Path) -> None:
    seen: list[tuple[int, int, int]] = []
    embed_library(
        embedder,
        videos,
        out=tmp_path / "out",
        config=SMALL,
        num_workers=0,
        on_progress=lambda done, total, throughput: seen.append((done, total, throughput.num_clips)),
    )
    assert seen == sorted(seen)
    assert seen[-1] == (7, 7, 14)  # with the three clips of `c.mp4` that were encoded in vain


def test_files_that_changed_meanwhile_are_noticed(videos: Path, embedder: Embedder, tmp_path: Path) -> None:
    shutil.copytree(videos, tmp_path / "videos")
    share = Share(index=0, count=2)
    embed_library(
        embedder, tmp_path / "videos", out=tmp_path / "out", config=SMALL, num_workers=0, share=share
    )
    make_video(tmp_path / "videos" / "new.mp4", seconds=1.0, seed=9)
    with pytest.raises(DatasetError, match=r"files have changed \(7 then, 8 now\): added"):
        embed_library(embedder, tmp_path / "videos", out=tmp_path / "out", config=SMALL, num_workers=0)


def test_another_model_or_configuration_is_not_mixed_in(
    videos: Path, library: Path, embedder: Embedder
) -> None:
    other = SMALL.model_copy(update={"sampling": "uniform_left"})
    with pytest.raises(DatasetError, match=r"and now sampling=uniform_left is asked for"):
        embed_library(embedder, videos, out=library, config=other, num_workers=0)
    means = Embedder(embedder.model, device="cpu", representation="patch_mean")
    with pytest.raises(DatasetError, match=r"representation=global, and now representation=patch_mean"):
        embed_library(means, videos, out=library, config=SMALL, num_workers=0)


def test_too_many_rejected_is_an_error_that_can_be_waived(
    videos: Path, embedder: Embedder, tmp_path: Path
) -> None:
    words = {"out": tmp_path / "out", "config": SMALL, "num_workers": 0}
    with pytest.raises(TooManyRejectedError, match=r"3 of 7 files cannot be used \(limit 20%\)"):
        embed_library(embedder, videos, **words, max_rejected_fraction=0.2)
    run = embed_library(embedder, videos, **words, max_rejected_fraction=0.5)
    assert run.report.is_complete
    assert run.throughput == Throughput()  # units stayed done


def test_a_failing_model_is_no_bad_file(videos: Path, embedder: Embedder, tmp_path: Path) -> None:
    model = type(embedder.model)(embedder.model.config, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    broken = Embedder(model, device="cpu")
    with pytest.raises(WeightsError, match="not finite"):
        embed_library(broken, videos, out=tmp_path / "out", config=SMALL, num_workers=0)
    assert not (tmp_path / "out" / "library.json").exists()


def test_float16_takes_half_the_room_and_keeps_cosines(
    videos: Path, library: Path, embedder: Embedder, tmp_path: Path
) -> None:
    config = SMALL.model_copy(update={"store": "float16"})
    embed_library(embedder, videos, out=tmp_path / "out", config=config, num_workers=0)
    exact, half = open_library(library).embeddings(), open_library(tmp_path / "out").embeddings()
    cosines = (exact.audio_NTD * exact.visual_NTD).sum(-1)
    np.testing.assert_allclose((half.audio_NTD * half.visual_NTD).sum(-1), cosines, atol=3e-4)
    assert half.num_broken_rows == 0


class Counting(Embedder):
    """Counts the clips it is given."""

    num_frames = 0

    def embed_frames(self, frames_PCHW: torch.Tensor, *, with_patches: bool = False) -> VisualEmbedding:
        self.num_frames += len(frames_PCHW)
        return super().embed_frames(frames_PCHW, with_patches=with_patches)


class StoppedError(Exception):
    """Stands for a kill in the middle of a unit."""


@pytest.mark.parametrize(("cut_bytes", "num_clips"), [(8, 4), (9, 6), (500, 6)])
def test_a_long_file_goes_on_where_it_was_stopped(
    videos: Path,
    library: Path,
    embedder: Embedder,
    tmp_path: Path,
    contents: Contents,
    cut_bytes: int,
    num_clips: int,
) -> None:
    """Two pieces of two clips of the third unit were encoded. A kill leaves no end mark (8 bytes); where more
    than that did not reach the disk, the last piece is encoded again."""

    def stop(_done: int, _total: int, throughput: Throughput) -> None:
        if throughput.num_clips == 10:  # 6 of the units before
            raise StoppedError

    words = {"out": tmp_path / "out", "config": SMALL, "num_workers": 0}
    with pytest.raises(StoppedError):
        embed_library(embedder, videos, **words, on_progress=stop)
    (left,) = (tmp_path / "out" / "work").glob("*.part")
    left.write_bytes(left.read_bytes()[: left.stat().st_size - cut_bytes])
    again = Counting(embedder.model, device="cpu")
    embed_library(again, videos, **words)
    assert contents(tmp_path / "out") == contents(library)
    assert again.num_frames == num_clips * SMALL.num_frames


def test_models_that_differ_in_alignment_do_not_share_a_library(
    videos: Path, library: Path, embedder: Embedder
) -> None:
    config = embedder.model.config
    inputs = config.inputs.model_copy(update={"alignment": "centered"})
    other = embedder.replace(reconfigured(embedder.model, config.model_copy(update={"inputs": inputs})))
    opened = open_library(library)
    assert opened.was_made_by(embedder.model)
    assert not opened.was_made_by(other.model)
    with pytest.raises(DatasetError, match=r"made with model.inputs.alignment=\w+, and now .*=centered is"):
        embed_library(other, videos, out=library, config=SMALL, num_workers=0)


def test_a_library_of_version_01_is_gone_on_with(
    videos: Path, library: Path, embedder: Embedder, tmp_path: Path
) -> None:
    """It calls the field `align_length`."""
    shutil.copytree(library, tmp_path / "old")
    record = tmp_path / "old" / "library.json"
    record.write_text(record.read_text().replace('"alignment"', '"align_length"'))
    run = embed_library(embedder, videos, out=tmp_path / "old", config=SMALL, num_workers=0)
    assert run.report.is_complete
    assert open_library(tmp_path / "old").was_made_by(embedder.model)
    assert open_library(tmp_path / "old").embeddings().audio_NTD.shape[0] == run.report.num_clips
