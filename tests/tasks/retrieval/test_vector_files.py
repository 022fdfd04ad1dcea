"""Vector files of several encoders on one list and in one order."""

from dataclasses import replace

import pytest
import torch

from cavmae_sync.embedding import write_embeddings
from cavmae_sync.embedding.vector_files import ids_fingerprint
from cavmae_sync.errors import ConfigError, DatasetError
from cavmae_sync.tasks.retrieval import open_embeddings


def test_files_of_one_name_are_told_apart_by_their_paths(good, bad, tmp_path):
    paths = [tmp_path / "a.npz", tmp_path / "b.parquet"]
    for path, each in zip(paths, (good, bad), strict=True):
        write_embeddings(replace(each, made_with={"name": "same"}), path)
    assert list(open_embeddings(paths)) == [str(path) for path in paths]
    with pytest.raises(ConfigError, match="given twice"):
        open_embeddings([paths[0], paths[0]])


def test_files_take_the_order_of_the_first(good, tmp_path):
    write_embeddings(good, tmp_path / "ours.npz")
    mixed = good.take(range(79, -1, -1), clip_list=ids_fingerprint(good.clip_ids[::-1]))
    write_embeddings(mixed, tmp_path / "theirs.npz")
    first, second = open_embeddings([tmp_path / "ours.npz", tmp_path / "theirs.npz"]).values()
    assert torch.equal(first.audio_NTD, second.audio_NTD)
    assert first.clip_list == second.clip_list == good.clip_list


def test_files_are_checked_against_a_dataset(embedder, clips, tmp_path):
    vectors = embedder.embed_dataset(clips)
    bare = replace(vectors, labels=((),) * 2, clip_list="x").take([1, 0], clip_list="x")
    write_embeddings(bare, tmp_path / "theirs.npz")
    (found,) = open_embeddings([tmp_path / "theirs.npz"], clips=clips).values()
    assert found.clip_ids == tuple(clips.clip_ids)
    assert found.clip_list == clips.list_sha256
    assert torch.equal(found.audio_NTD, vectors.audio_NTD)
    (one,) = open_embeddings([tmp_path / "theirs.npz"], clips=clips, num_clips=1).values()
    assert one.clip_list == clips.head(1).list_sha256
    write_embeddings(bare.take([0], clip_list="x"), tmp_path / "one.npz")
    with pytest.raises(DatasetError, match="do not hold the same clips"):
        open_embeddings([tmp_path / "one.npz"], clips=clips)
