"""Libraries of version 1 of the format, as an earlier version of this program wrote them."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import (
    Catalogue,
    LibraryConfig,
    Root,
    add_to_library,
    convert_if_old,
    open_library,
    update_library,
)
from cavmae_sync.errors import ConfigError, DatasetError

from ...kills import check_all_alike, kill_at_changes, run_apart
from .conftest import HERE, Counting, Held, make_video

#: Two clips of two frames each second; `z_copy.mp4` is `a/dog.mp4` again, `empty.mp4` was rejected.
VERSION_1 = Path(__file__).parent / "version1"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copytree(VERSION_1, tmp_path / "old"))


def test_it_is_converted_without_encoding(old: Path) -> None:
    with pytest.raises(DatasetError, match=r"earlier version. cavmae-sync index status .* converts it"):
        open_library(old)
    before = pq.read_table(VERSION_1 / "parts").sort_by(
        [("source", "ascending"), ("start_seconds", "ascending")]
    )
    assert convert_if_old(old)
    assert not convert_if_old(old)
    opened = open_library(old)
    assert opened.config == LibraryConfig(
        num_frames=2, clip_seconds=1.0, min_seconds=0.5, frames_per_piece=4,
        sampling="linspace_inclusive", store="float32",
    )  # fmt: skip
    clips = opened.clips().to_pylist()
    assert [(row["source"], row["start_seconds"]) for row in clips] == [
        ("a/dog.mp4", 0.0),
        ("long.mp4", 0.0),
        ("long.mp4", 1.0),
    ]
    kept = [row for row in before.to_pylist() if row["source"] != "z_copy.mp4"]
    for name, found in (("audio", opened.embeddings().audio_NTD), ("visual", opened.embeddings().visual_NTD)):
        np.testing.assert_array_equal(found.numpy(), np.array([row[name] for row in kept], np.float32))
    report = opened.report()
    assert (report.num_files, report.num_copies, report.num_failed, report.num_skipped) == (3, 1, 1, 1)
    assert report.num_offline == 3
    assert sorted(path.name for path in old.iterdir()) == [
        "catalogue.sqlite",
        "library.json",
        "parts",
        "work",
    ]


def test_it_grows_once_its_root_is_known(old: Path, videos: Path, counting: Counting, tmp_path: Path) -> None:
    """The vectors were made by a model and of files like those of these tests."""
    footage = tmp_path / "footage"
    make_video(footage / "a" / "dog.mp4", seconds=1.0, seed=1)
    make_video(footage / "long.mp4", seconds=2.0, seed=3)
    make_video(footage / "new.mp4", seconds=1.0, seed=8)
    convert_if_old(old)
    with Catalogue(old, is_writable=True) as catalogue:
        catalogue.put_root(Root(name="videos", path=footage, is_listed=False))
    update_library(counting, old, options=HERE)
    files = {row.path: row.content for row in open_library(old).files()}
    assert set(files) == {"a/dog.mp4", "long.mp4", "new.mp4"}
    dog = pq.read_table(VERSION_1 / "parts", columns=["source", "content_hash"]).to_pylist()[0][
        "content_hash"
    ]
    if files["a/dog.mp4"] == dog:  # where the encoder of this machine gives the same bytes
        assert counting.num_frames == 2


def convert_apart(folder: Path) -> None:
    def convert(out: Path) -> None:
        if not out.exists():
            shutil.copytree(VERSION_1, out.with_suffix(".copy"), dirs_exist_ok=True)
            out.with_suffix(".copy").rename(out)
        convert_if_old(out)

    kill_at_changes(convert, folder)


def test_killed_while_converting(tmp_path: Path, held: Held) -> None:
    run_apart(convert_apart, tmp_path)
    check_all_alike(tmp_path, held, at_least=6)


def test_another_model_cannot_go_on(old: Path, videos: Path, embedder: Embedder) -> None:
    means = Embedder(embedder.model, device="cpu", representation="patch_mean")
    with pytest.raises(ConfigError, match=r"representation=global, and now"):
        add_to_library(means, videos, out=old, options=HERE)
