"""Files of vectors: what is read, what is refused, and that our own come back to the last bit."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch.nn import functional as F

from cavmae_sync.embedding import DatasetEmbeddings, read_embeddings, write_embeddings
from cavmae_sync.embedding.vector_files import first_clips, ids_fingerprint
from cavmae_sync.embedding.vector_formats import check_fits
from cavmae_sync.errors import ConfigError, DatasetError

N, T, D = 6, 4, 8
IDS = tuple(f"clip {i}, ünïcode" for i in range(N))


def rows(*shape: int, seed: int = 0, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def saved(tmp_path: Path, **arrays) -> Path:
    given = {"audio": rows(N, T, D), "visual": rows(N, T, D, seed=1), **arrays}
    path = tmp_path / "theirs.npz"
    np.savez(path, **{name: array for name, array in given.items() if array is not None})
    return path


@pytest.fixture
def ours() -> DatasetEmbeddings:
    audio = F.normalize(torch.from_numpy(rows(N, T, D)), dim=-1)
    audio[2, 1] = torch.nan
    return DatasetEmbeddings(
        audio_NTD=audio,
        visual_NTD=F.normalize(torch.from_numpy(rows(N, T, D, seed=1)), dim=-1),
        clip_ids=IDS,
        labels=(("dog",), ("dog", "rain, heavy"), (), ("a",), ("b",), ("c",)),
        clip_list="a" * 64,
        weights="b" * 64,
        made_with={"representation": "global", "model": {"width": 8, "decoder": None}},
    )


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".NPZ"])
class TestOurOwn:
    def test_comes_back_to_the_last_bit(self, ours, tmp_path: Path, suffix):
        write_embeddings(ours, tmp_path / f"x{suffix}")
        back = read_embeddings(tmp_path / f"x{suffix}")
        for name in ("audio_NTD", "visual_NTD"):
            assert torch.equal(getattr(back, name).nan_to_num(9), getattr(ours, name).nan_to_num(9))
        for name in ("clip_ids", "labels", "clip_list", "weights", "made_with", "has_ids"):
            assert getattr(back, name) == getattr(ours, name), name

    def test_without_ids_and_labels_too(self, ours, tmp_path: Path, suffix):
        bare = replace(ours, has_ids=False, labels=((),) * N)
        write_embeddings(bare, tmp_path / f"x{suffix}")
        back = read_embeddings(tmp_path / f"x{suffix}")
        assert (back.has_ids, back.labels) == (False, ((),) * N)
        assert back.clip_ids == ("0", "1", "2", "3", "4", "5")


def test_the_same_vectors_give_the_same_bytes(ours, tmp_path: Path):
    for name in ("a.npz", "b.npz", "a.parquet", "b.parquet"):
        write_embeddings(ours, tmp_path / name)
    for kind in ("npz", "parquet"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_another_ending_is_refused_and_nothing_is_left_behind(ours, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"a vector file ends in \.npz or \.parquet"):
        write_embeddings(ours, tmp_path / "x.npy")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_rows_become_unit_whatever_their_type_and_length(tmp_path: Path, dtype):
    audio = (rows(N, T, D) * np.arange(1, N + 1)[:, None, None]).astype(dtype)
    found = read_embeddings(saved(tmp_path, audio=audio, ids=IDS))
    expected = audio.astype(np.float64) / np.linalg.norm(audio.astype(np.float64), axis=-1, keepdims=True)
    np.testing.assert_allclose(found.audio_NTD.numpy(), expected, atol=1e-6)
    assert found.audio_NTD.dtype == torch.float32
    assert found.made_with == {"name": "theirs", "rescaled_vectors": 2 * N * T}


def test_lengths_that_overflow_or_vanish_when_squared_do_not_matter(tmp_path: Path):
    plain = rows(N, T, D, dtype="float64")
    expected = read_embeddings(saved(tmp_path, audio=plain)).audio_NTD
    for factor in (1e200, 1e-200):
        found = read_embeddings(saved(tmp_path, audio=plain * factor))
        torch.testing.assert_close(found.audio_NTD, expected)
        assert found.num_broken_rows == 0


def test_rows_without_a_direction_are_kept_as_nan_and_counted(tmp_path: Path):
    audio = rows(N, T, D)
    audio[0, 0], audio[1, 2, 3], audio[2, 1, 0] = 0, np.nan, np.inf
    found = read_embeddings(saved(tmp_path, audio=audio))
    assert found.num_broken_rows == 3
    assert found.audio_NTD[0, 0].isnan().all()
    assert found.made_with["rescaled_vectors"] == 2 * N * T - 3


def test_one_vector_per_clip_needs_no_axis_for_frames(tmp_path: Path):
    flat = read_embeddings(saved(tmp_path, audio=rows(N, D), visual=rows(N, D)))
    assert flat.audio_NTD.shape == (N, 1, D)


@pytest.mark.parametrize("single", ["audio", "visual"])
def test_one_vector_of_the_whole_clip_is_compared_with_every_frame(tmp_path: Path, single):
    """Spec 3.6, "diagonal" of plain CAV-MAE: the mean over frames of their cosine with the one sound."""
    found = read_embeddings(saved(tmp_path, **{single: rows(N, 1, D)}))
    one = getattr(found, f"{single}_NTD")
    assert one.shape == (N, T, D)
    assert (one == one[:, :1]).all()
    assert found.made_with[f"{single}_vectors_per_clip"] == 1


def test_ids_labels_and_what_it_was_made_with(tmp_path: Path):
    labels = np.array([["dog", ""], ["cat", "rain"], ["", ""], ["a", ""], ["b", ""], ["c", ""]])
    path = saved(
        tmp_path, ids=IDS, labels=labels, name="ImageBind", made_with=json.dumps({"size": "huge"}),
        frame_seconds=np.arange(T) / 2,
    )  # fmt: skip
    found = read_embeddings(path)
    assert found.clip_ids == IDS
    assert found.labels[:3] == (("dog",), ("cat", "rain"), ())
    assert found.made_with["name"] == "ImageBind"
    assert found.made_with["size"] == "huge"
    assert found.made_with["frame_seconds"] == [0.0, 0.5, 1.0, 1.5]
    assert found.clip_list == ids_fingerprint(IDS)
    assert read_embeddings(saved(tmp_path, ids=np.arange(N))).clip_ids == ("0", "1", "2", "3", "4", "5")
    assert read_embeddings(saved(tmp_path, labels=["x"] * N)).labels == (("x",),) * N


def test_without_ids_the_vectors_stand_for_the_clips(tmp_path: Path):
    first = read_embeddings(saved(tmp_path))
    same = read_embeddings(saved(tmp_path))
    other = read_embeddings(saved(tmp_path, audio=rows(N, T, D, seed=5)))
    assert not first.has_ids
    assert first.clip_list == same.clip_list == first.weights
    assert other.clip_list != first.clip_list


def test_the_first_clips_are_a_list_of_their_own(ours, tmp_path: Path):
    two = first_clips(ours, 2)
    assert (two.clip_ids, two.clip_list) == (IDS[:2], ids_fingerprint(IDS[:2]))
    assert first_clips(ours, 99) is ours
    bare = read_embeddings(saved(tmp_path))
    assert first_clips(bare, 2).clip_list not in {bare.clip_list, ids_fingerprint(("0", "1"))}


OBJECTS = np.empty(N, dtype=object)
OBJECTS[:] = [[1.0] * (i + 1) for i in range(N)]
REFUSED = {
    "whole numbers": ({"audio": np.ones((N, T, D), int)}, "got int64"),
    "booleans": ({"audio": np.ones((N, T, D), bool)}, "got bool"),
    "complex": ({"audio": np.ones((N, T, D), complex)}, "got complex128"),
    "pickled rows": ({"audio": OBJECTS}, "pickles are not loaded"),
    "pickled ids": ({"ids": np.array(["a", 1, None] * 2, dtype=object)}, "pickles are not loaded"),
    "four axes": ({"audio": rows(N, T, D, 1)}, r"got \[6, 4, 8, 1\]"),
    "no clips": ({"audio": rows(0, T, D), "visual": rows(0, T, D)}, "not empty"),
    "nothing but zeros": ({"visual": np.zeros((N, T, D))}, "every vector of visual is zero"),
    "other clips": ({"audio": rows(N - 1, T, D)}, "equally many clips"),
    "other width": ({"audio": rows(N, T, D + 1)}, "one width"),
    "other frames": ({"audio": rows(N, T - 1, D)}, "3 vectors of sound and 4 of picture"),
    "too few ids": ({"ids": IDS[:-1]}, "5 ids for 6 clips"),
    "too many labels": ({"labels": ["x"] * 7}, "7 labels for 6 clips"),
    "an id twice": ({"ids": [*IDS[:-1], IDS[0]]}, "is there more than once"),
    "ids in a table": ({"ids": np.array([IDS])}, r"got .* of shape \(1, 6\)"),
    "ids that are fractions": ({"ids": np.arange(N) / 2}, "must be texts or whole numbers"),
    "labels that are numbers": ({"labels": np.arange(N)}, "labels must be texts"),
    "no sound": ({"audio": None}, "Missing: audio"),
    "a misspelt name": ({"id": IDS}, "unknown: id"),
    "broken JSON": ({"made_with": "{"}, "JSON object"),
    "JSON of another kind": ({"made_with": "[1]"}, "JSON object"),
    "a number as a name": ({"name": 3}, "name must be one text"),
    "times of other frames": ({"frame_seconds": np.arange(3.0)}, "times of the 4 frames"),
    "not a number in JSON": ({"made_with": '{"rate": NaN}'}, "NaN is not a number in JSON"),
    "times that are texts": ({"frame_seconds": np.array(list("abcd"))}, "times of the 4 frames"),
    "times that go back": ({"frame_seconds": np.array([0, 2, 1, 3.0])}, "in order"),
}


@pytest.mark.parametrize(("arrays", "message"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_and_named(tmp_path: Path, arrays, message):
    with pytest.raises(DatasetError, match=message) as raised:
        read_embeddings(saved(tmp_path, **arrays))
    assert "theirs.npz" in str(raised.value)


def declared(tmp_path: Path, shape: tuple[int, ...], content: bytes) -> Path:
    """An .npz whose array declares another shape than it holds."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    path = tmp_path / "theirs.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("audio", "visual"):
            archive.writestr(f"{name}.npy", header.getvalue() + content)
    return path


def test_a_declared_size_is_not_believed(tmp_path: Path):
    """10^15 numbers in a file of some bytes: nothing is allocated."""
    for shape in ((10**9, 10**3, 10**3), (2, 2, 2)):
        with pytest.raises(DatasetError, match="holds others"):
            read_embeddings(declared(tmp_path, shape, b"1234"))


def test_more_than_the_machine_has_is_refused(tmp_path: Path):
    with pytest.raises(DatasetError, match=r"audio declares 1073741824\.0 GiB"):
        check_fits(tmp_path, "audio", 2**60)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 no archive", b"text", b"\x93NUMPY one array", b"PAR1 cut"]
)
def test_files_that_are_something_else_are_named(tmp_path: Path, content):
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"x\.npz"):
        read_embeddings(path)
    with pytest.raises(DatasetError, match=r"library\.json"):
        read_embeddings(tmp_path)


def test_damage_inside_is_found(ours, tmp_path: Path):
    path = tmp_path / "x.npz"
    write_embeddings(ours, path)
    content = bytearray(path.read_bytes())
    content[200] ^= 255
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="damaged"):
        read_embeddings(path)


def test_a_pickle_in_the_place_of_an_array_does_nothing(tmp_path: Path):
    path = tmp_path / "theirs.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("audio", "visual"):
            archive.writestr(f"{name}.npy", b"cos\nsystem\n(S'touch hacked'\ntR.")
    with pytest.raises(DatasetError, match="damaged"):
        read_embeddings(path)


class TestParquet:
    """Written by pandas, polars and pyarrow; read by them."""

    def test_others_read_ours(self, ours, tmp_path: Path):
        path = tmp_path / "x.parquet"
        write_embeddings(ours, path)
        frame = pd.read_parquet(path)
        stacked = np.stack([np.stack(clip) for clip in frame["audio"]])
        np.testing.assert_array_equal(stacked, ours.audio_NTD.numpy())
        assert list(frame["ids"]) == list(IDS)
        np.testing.assert_array_equal(pl.read_parquet(path)["visual"].to_numpy(), ours.visual_NTD.numpy())

    def test_pandas_and_polars_write_what_is_read(self, tmp_path: Path):
        audio, visual = rows(N, T, D), rows(N, D, seed=1)
        expected = read_embeddings(saved(tmp_path, audio=audio, visual=visual, ids=IDS))
        path = tmp_path / "theirs.parquet"
        pd.DataFrame({"ids": IDS, "audio": audio.tolist(), "visual": list(visual)}).to_parquet(path)
        by_pandas = read_embeddings(path)
        pl.DataFrame({"ids": IDS, "audio": audio, "visual": visual}).write_parquet(path)
        by_polars = read_embeddings(path)
        for found in (by_pandas, by_polars):
            torch.testing.assert_close(found.audio_NTD, expected.audio_NTD, atol=1e-7, rtol=0)
            torch.testing.assert_close(found.visual_NTD, expected.visual_NTD, atol=1e-7, rtol=0)
            assert (found.clip_ids, found.clip_list) == (IDS, expected.clip_list)

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            ({"audio": [[1.0, 2.0], [1.0]]}, "several sizes"),
            ({"audio": [[[1.0, 2.0]], [[1.0, 2.0], [3.0, 4.0]]]}, "several sizes"),
            ({"audio": [[1.0, 2.0], None]}, "several sizes, or none"),
            ({"audio": [[1.0, 2.0], [1.0, None]]}, "with gaps"),
            ({"audio": [1.0, 2.0]}, "got double"),
            ({"audio": [["a", "b"], ["c", "d"]]}, "got string"),
            ({"audio": [[1, 2], [3, 4]]}, "got int64"),
            ({"ids": ["a", None]}, "ids must be"),
            ({"ids": ["a", "a"]}, "more than once"),
            ({"labels": [[1], [2]]}, "labels must be"),
            ({"extra": ["a", "b"]}, "unknown: extra"),
        ],
    )
    def test_what_does_not_fit_is_refused_and_named(self, tmp_path: Path, columns, message):
        given = {"audio": [[1.0, 2.0], [3.0, 4.0]], "visual": [[1.0, 2.0], [3.0, 4.0]], **columns}
        path = tmp_path / "theirs.parquet"
        pq.write_table(pa.table(given), path)
        with pytest.raises(DatasetError, match=message):
            read_embeddings(path)

    def test_labels_may_be_one_text_or_several(self, tmp_path: Path):
        vectors = {"audio": [[1.0, 2.0], [3.0, 4.0]], "visual": [[1.0, 2.0], [3.0, 4.0]]}
        for given, expected in (
            (["dog", None], (("dog",), ())),
            ([["dog", "cat"], []], (("dog", "cat"), ())),
        ):
            pq.write_table(pa.table({**vectors, "labels": given}), tmp_path / "x.parquet")
            assert read_embeddings(tmp_path / "x.parquet").labels == expected

    def test_no_rows_and_broken_facts_are_refused(self, tmp_path: Path):
        path = tmp_path / "x.parquet"
        empty = pa.table({"audio": pa.array([], pa.list_(pa.float32()))}).append_column(
            "visual", pa.array([], pa.list_(pa.float32()))
        )
        pq.write_table(empty, path)
        with pytest.raises(DatasetError, match="no rows"):
            read_embeddings(path)
        table = pa.table({"audio": [[1.0]], "visual": [[1.0]]})
        for facts, message in ((b"{", "not JSON"), (b'{"wieghts": "x"}', "wieghts"), (b"[]", "list")):
            pq.write_table(table.replace_schema_metadata({b"cavmae_sync": facts}), path)
            with pytest.raises(DatasetError, match=message):
                read_embeddings(path)
