"""Features in files: made once, never mistaken, and gone on with."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import DatasetError
from cavmae_sync.model import CAVMAESync
from cavmae_sync.tasks import untrained
from cavmae_sync.tasks.classification import feature_cache
from cavmae_sync.tasks.classification.feature_cache import cache_share, cached_features
from cavmae_sync.tasks.classification.features import FeatureConfig, embed_features
from cavmae_sync.work import Share

BOTH = FeatureConfig()


@pytest.fixture
def embedder(model: CAVMAESync) -> Embedder:
    return Embedder(model, device="cpu", batch_size=8)


def read_all(stored) -> torch.Tensor:
    return stored.read(range(len(stored)))


def seen(calls: list[int]):
    """A progress that remembers."""
    return lambda done, _total: calls.append(done)


def test_files_hold_what_is_computed(embedder: Embedder, prepared: PreparedDataset, tmp_path: Path):
    stored = cached_features(embedder, prepared, BOTH, folder=tmp_path)
    assert torch.equal(read_all(stored), embed_features(embedder, prepared, BOTH).float())
    assert (len(stored), stored.width) == (14, 32)
    assert torch.equal(stored.subset([5, 3]).subset([1]).read([0]), stored.read([3]))


def test_once_is_enough_and_each_modality_alone_costs_nothing_more(
    embedder: Embedder, prepared: PreparedDataset, tmp_path: Path
):
    both = cached_features(embedder, prepared, BOTH, folder=tmp_path)
    calls: list[int] = []
    audio, visual = (
        cached_features(
            embedder, prepared, FeatureConfig(modalities=one), folder=tmp_path, on_progress=seen(calls)
        )
        for one in ("audio", "visual")
    )
    assert calls == []
    assert torch.equal(read_all(both), torch.cat([read_all(audio), read_all(visual)], dim=2))


def test_others_are_never_taken_for_these(embedder: Embedder, prepared: PreparedDataset, tmp_path: Path):
    folders = set()
    for each, clips, config in (
        (embedder, prepared, BOTH),
        (untrained(embedder, seed=5), prepared, BOTH),
        (embedder, prepared.head(13), BOTH),
        (embedder, prepared, FeatureConfig(tokens="patch_mean")),
        (Embedder(embedder.model, device="cpu", precision="bfloat16"), prepared, BOTH),
    ):
        calls: list[int] = []
        cached_features(each, clips, config, folder=tmp_path, on_progress=seen(calls))
        assert calls[-1] == len(clips)
        folders |= {path.name for path in tmp_path.iterdir()}
    assert len(folders) == 5
    about = [json.loads((tmp_path / name / "features.json").read_text()) for name in folders]
    assert len({entry["weights"] for entry in about}) == 2


def test_of_two_that_need_the_same_one_computes_and_one_waits(
    embedder: Embedder, prepared: PreparedDataset, tmp_path: Path
):
    first_at_work, calls, late = threading.Event(), [], []

    def slow(done: int, _total: int) -> None:
        calls.append(done)
        first_at_work.set()
        time.sleep(0.02)

    def make(on_progress) -> torch.Tensor:
        with PreparedDataset.open(prepared.folder) as clips:
            return read_all(cached_features(embedder, clips, BOTH, folder=tmp_path, on_progress=on_progress))

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(make, slow)
        assert first_at_work.wait(timeout=60)
        second = pool.submit(make, seen(late))
        assert torch.equal(first.result(), second.result())
    assert calls[-1] == 14
    assert late == []


def test_goes_on_where_it_was_interrupted(
    embedder: Embedder, prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(feature_cache, "_CLIPS_PER_NOTE", 4)  # of 14 clips, two at a time

    def stop(done: int, _total: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_features(embedder, prepared, BOTH, folder=tmp_path, on_progress=stop)
    assert list(tmp_path.rglob("*.npy")) == []

    calls: list[int] = []
    stored = cached_features(embedder, prepared, BOTH, folder=tmp_path, on_progress=seen(calls))
    assert calls == [10, 12, 14]  # from 8, the last note
    assert torch.equal(read_all(stored), embed_features(embedder, prepared, BOTH).float())
    assert {path.suffix for path in tmp_path.rglob("*.*") if path.is_file()} == {".npy", ".json", ".lock"}


def test_a_damaged_file_says_so(embedder: Embedder, prepared: PreparedDataset, tmp_path: Path):
    cached_features(embedder, prepared, BOTH, folder=tmp_path)
    (path,) = tmp_path.rglob("audio.npy")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DatasetError, match=r"audio.npy is damaged .*Delete it"):
        cached_features(embedder, prepared, BOTH, folder=tmp_path)


def test_shares_in_any_order_become_the_files_of_one_process(
    embedder: Embedder, prepared: PreparedDataset, tmp_path: Path
):
    """14 clips in batches of two: shares of four, four and six clips."""
    cached_features(embedder, prepared, BOTH, folder=tmp_path / "one")
    calls: list[int] = []
    for index in (2, 0, 0, 1, 1):
        is_complete = cache_share(
            embedder, prepared, BOTH, folder=tmp_path / "many", share=Share(index=index, count=3),
            on_progress=seen(calls),
        )  # fmt: skip
        assert is_complete == (index == 1)
    assert calls == [2, 4, 6, 2, 4, 2, 4]  # each once
    files = {path.name: path.read_bytes() for path in (tmp_path / "one").rglob("*.*") if path.is_file()}
    found = {path.name: path.read_bytes() for path in (tmp_path / "many").rglob("*.*") if path.is_file()}
    assert {name: found.get(name) for name in files} == files
    assert {Path(name).suffix for name in set(found) - set(files)} == {".lock"}


def test_more_shares_than_batches_do_no_harm(embedder: Embedder, prepared: PreparedDataset, tmp_path: Path):
    few = prepared.head(3)
    done = [
        cache_share(embedder, few, BOTH, folder=tmp_path, share=Share(index=index, count=5))
        for index in range(5)
    ]
    assert done[-1]
    assert torch.equal(
        read_all(cached_features(embedder, few, BOTH, folder=tmp_path)),
        embed_features(embedder, few, BOTH).float(),
    )


def test_what_goes_on_computes_products_as_they_were_begun(
    model: CAVMAESync, prepared: PreparedDataset, tmp_path: Path
):
    """Which way is faster is measured, and may come out otherwise for the next share."""
    highest, medium = (
        Embedder(model, device="cpu", batch_size=8, float32_products=kind) for kind in ("highest", "medium")
    )
    cached_features(highest, prepared, BOTH, folder=tmp_path / "one")
    for index, embedder in enumerate((highest, medium)):
        share = Share(index=index, count=2)
        cache_share(embedder, prepared, BOTH, folder=tmp_path / "many", share=share)
    (one,), (many,) = (list((tmp_path / name).rglob("audio.npy")) for name in ("one", "many"))
    assert one.read_bytes() == many.read_bytes()
    (note,) = (tmp_path / "many").rglob("float32_products")
    assert note.read_text() == "highest"
    note.write_text("fast")
    many.unlink()
    with pytest.raises(DatasetError, match="holds 'fast', which is not a way to compute"):
        cached_features(medium, prepared, BOTH, folder=tmp_path / "many")
