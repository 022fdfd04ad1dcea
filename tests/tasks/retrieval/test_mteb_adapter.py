"""MTEB itself, as installed, runs our model on a small task of its own kind, without a network."""

import socket
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cavmae_sync.embedding import DatasetEmbeddings, embed_video, similarity_matrix
from cavmae_sync.errors import ConfigError, DatasetError, NoAudioStreamError, NoVideoStreamError
from cavmae_sync.media import read_clip
from cavmae_sync.tasks.retrieval import RetrievalConfig, retrieval_report
from cavmae_sync.tasks.retrieval.mteb_adapter import MTEBAdapter, clip_vectors

NUM_FRAMES = 4
ODD = Path(__file__).parents[2] / "media" / "odd"


@pytest.fixture
def mteb(tmp_path, monkeypatch):
    """The library, cut off from the network, its results kept out of the user's folders."""

    def refuse(*address):
        raise AssertionError(f"a test reaches for the network: {address[1:]}")

    monkeypatch.setenv("MTEB_CACHE", str(tmp_path / "mteb"))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return pytest.importorskip("mteb")


@pytest.fixture
def adapter(embedder):
    return MTEBAdapter(embedder, num_frames=NUM_FRAMES)


@pytest.fixture
def videos(stage_folder: Path) -> list[Path]:
    return sorted((stage_folder / "clips").iterdir())


def own_embeddings(embedder, videos) -> DatasetEmbeddings:
    clips = [next(embed_video(embedder, path, num_frames=NUM_FRAMES)).embedding for path in videos]
    return DatasetEmbeddings(
        audio_NTD=torch.stack([clip.audio_TD for clip in clips]),
        visual_NTD=torch.stack([clip.visual_TD for clip in clips]),
        clip_ids=tuple(path.stem for path in videos),
        labels=((),) * len(videos),
        clip_list="",
        weights="",
        made_with={},
    )


def make_task(mteb, queries, documents, *, kinds):
    """A retrieval task in the shape of VGGSoundAVA2VRetrieval: item i of the documents belongs to query i."""
    from datasets import Dataset, Features, Value
    from mteb.abstasks.retrieval_dataset_loaders import RetrievalSplitData

    def table(values, kind):
        feature = values.pop("feature", None)
        rows = {"id": [str(i) for i in range(len(values["items"]))], kind: values["items"]}
        if feature is None:
            return Dataset.from_dict(rows)
        plain = {"bytes": Value("binary"), "path": Value("string")}
        return Dataset.from_dict(rows, features=Features({"id": Value("string"), kind: plain})).cast_column(
            kind, feature
        )

    class LocalTask(mteb.abstasks.AbsTaskRetrieval):
        metadata = mteb.TaskMetadata(
            name="LocalA2VRetrieval",
            description="Stage clips.",
            reference=None,
            dataset={"path": "local/none", "revision": "0"},
            type="Any2AnyRetrieval",
            category={"audio": "a", "video": "v"}[kinds[0]] + "2" + {"audio": "a", "video": "v"}[kinds[1]],
            eval_splits=["test"],
            eval_langs=["eng-Latn"],
            main_score="ndcg_at_10",
            modalities=list(kinds),
            date=("2020-01-01", "2020-12-31"),
            domains=["AudioScene"],
            task_subtypes=["Cross-Modal Retrieval"],
            license="cc0-1.0",
            annotations_creators="derived",
            dialect=[],
            sample_creation="found",
            bibtex_citation="",
            prompt={"query": "Find the other half of the clip."},
        )

        def load_data(self, num_proc=None, **_):
            assert num_proc is None
            num_items = len(queries["items"])
            self.dataset = {
                "default": {
                    "test": RetrievalSplitData(
                        queries=table(dict(queries), kinds[0]),
                        corpus=table(dict(documents), kinds[1]),
                        relevant_docs={str(i): {str(i): 1} for i in range(num_items)},
                        top_ranked=None,
                    )
                }
            }
            self.data_loaded = True

    return LocalTask()


def scores_of(mteb, adapter, task):
    result = mteb.evaluate(adapter, tasks=[task], cache=None, show_progress_bar=False)
    return result.task_results[0].scores["test"][0]


def test_its_dot_product_is_our_mean_over_simultaneous_frames():
    generator = torch.Generator().manual_seed(0)
    x, y = (F.normalize(torch.randn(9, 16, 32, generator=generator), dim=-1) for _ in range(2))
    vectors = clip_vectors(x), clip_vectors(y)
    expected = torch.einsum("atd,btd->abt", x, y).mean(dim=-1)
    torch.testing.assert_close(vectors[0] @ vectors[1].T, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(vectors[0].norm(dim=1), torch.ones(9))


@pytest.mark.long
def test_mteb_finds_what_our_report_finds(mteb, adapter, embedder, videos):
    """Sounds as decoded samples, videos as bytes in a column of Hugging Face's type, without torchcodec."""
    from datasets import Video

    clips = [read_clip(path, num_frames=NUM_FRAMES) for path in videos]
    sounds = {"items": [{"array": clip.waveform_S.tolist(), "sampling_rate": 16000} for clip in clips]}
    with_frames = {
        "items": [{"bytes": path.read_bytes(), "path": path.name} for path in videos],
        "feature": Video(),
    }
    ours = retrieval_report(own_embeddings(embedder, videos), RetrievalConfig(num_bootstrap=0))
    for kinds, direction in (
        (("audio", "video"), "audio_to_visual"),
        (("video", "audio"), "visual_to_audio"),
    ):
        sides = {"audio": sounds, "video": with_frames}
        found = scores_of(mteb, adapter, make_task(mteb, *(sides[kind] for kind in kinds), kinds=kinds))
        for k in (1, 5, 10):
            assert found[f"recall_at_{k}"] == pytest.approx(
                ours.metrics[f"{direction}/recall_at_{k}"].value, abs=1e-5
            )
        scores = ours.similarity_QG if direction == "audio_to_visual" else ours.similarity_QG.T
        places = (scores > scores.diagonal()[:, None]).sum(dim=1).double()
        gain = torch.where(places < 10, 1 / torch.log2(places + 2), 0.0)  # one relevant item: DCG is NDCG
        assert found["ndcg_at_10"] == pytest.approx(float(gain.mean()), abs=1e-5)


def test_it_has_the_interface_that_mteb_asks_for(mteb, adapter):
    from mteb.models import EncoderProtocol

    assert isinstance(adapter, EncoderProtocol)
    meta = adapter.mteb_model_meta
    assert meta.modalities == ["audio", "video"]
    assert meta.embed_dim == NUM_FRAMES * 16
    assert MTEBAdapter(adapter.embedder, num_frames=2).mteb_model_meta.experiment_kwargs["num_frames"] == 2


class Loader:
    """The part of a loader that is used; a plain list stands for a dataset that is not Hugging Face's."""

    def __init__(self, kind, items):
        self.dataset, self.batches = items, [{kind: items[i : i + 2]} for i in range(0, len(items), 2)]

    def __iter__(self):
        return iter(self.batches)


class Task:
    name = "Some2Task"

    def __init__(self, *modalities):
        self.modalities = list(modalities)

    def get_modalities(self, _):
        return self.modalities


def encode(adapter, kind, items):
    return adapter.encode(Loader(kind, items), task_metadata=Task(kind), hf_split="test", hf_subset="x")


@pytest.fixture
def clip(videos):
    return read_clip(videos[0], num_frames=NUM_FRAMES)


def test_paths_bytes_and_decoded_items_give_one_vector(adapter, videos, clip):
    path = videos[0]
    content = {"bytes": path.read_bytes(), "path": None}
    frames = torch.from_numpy(clip.frames_THWC)
    kinds = (path, str(path), {"path": str(path), "bytes": None}, content)
    files = encode(adapter, "video", list(kinds))
    decoded = encode(adapter, "video", [frames, frames.permute(0, 3, 1, 2), list(clip.frames_THWC)])
    assert (files == files[0]).all()
    assert (decoded == files[0]).all()
    sounds = encode(adapter, "audio", list(kinds))
    assert (sounds == sounds[0]).all()
    stereo = np.stack([clip.waveform_S, np.zeros_like(clip.waveform_S)])
    own = encode(
        adapter, "audio", [{"array": each, "sampling_rate": 16000} for each in (clip.waveform_S, stereo)]
    )
    assert (own[0] == own[1]).all()


def test_sound_of_another_rate_is_resampled(adapter, clip):
    """A tone at 44.1 kHz and at 16 kHz is one tone; the same samples read at the wrong rate are another."""

    def tone(rate_hz):
        seconds = np.arange(rate_hz) / rate_hz
        wave_S = np.sin(2 * np.pi * 440 * seconds * (1 + seconds))
        return {"array": (0.3 * wave_S).astype(np.float32), "sampling_rate": rate_hz}

    own, other = tone(16000), tone(44100)
    wrong = {"array": other["array"][:16000], "sampling_rate": 16000}
    as_int16 = {"array": (own["array"] * 32768).astype(np.int16), "sampling_rate": 16000}
    vectors = encode(adapter, "audio", [own, other, as_int16, wrong])
    similarity = adapter.similarity(vectors[:1], vectors)[0]
    assert similarity[:3].min() > 0.999
    assert similarity[3] < similarity[1:3].min()
    torch.testing.assert_close(adapter.similarity_pairwise(vectors, vectors), torch.ones(4))


def test_silence_has_a_vector(adapter):
    vector = encode(adapter, "audio", [{"array": np.zeros(16000, np.float32), "sampling_rate": 16000}])
    assert np.isfinite(vector).all()


def test_a_video_without_sound_has_frames_but_no_vector_of_sound(adapter):
    path = ODD / "01_no_audio.mp4"
    assert encode(adapter, "video", [path]).shape == (1, NUM_FRAMES * 16)
    with pytest.raises(NoAudioStreamError):
        encode(adapter, "audio", [path])


@pytest.mark.parametrize(
    ("kind", "item", "message"),
    [
        ("audio", None, "is missing"),
        ("audio", {"bytes": None, "path": None}, "Sound must be a file"),
        ("audio", {"array": np.zeros(9, np.float32), "sampling_rate": None}, "without a rate"),
        ("audio", {"array": np.zeros(0, np.float32), "sampling_rate": 16000}, "0 samples"),
        ("audio", {"array": np.zeros((16000, 2), np.float32), "sampling_rate": 16000}, "channels, S"),
        ("audio", {"array": np.full(999, 20000.0), "sampling_rate": 16000}, "outside"),
        ("audio", {"array": np.full(999, np.nan), "sampling_rate": 16000}, "not finite"),
        ("audio", {"array": np.zeros(999, np.int64), "sampling_rate": 16000}, "int64"),
        ("video", None, "is missing"),
        ("video", np.zeros((4, 8, 8, 3), np.float32), "uint8"),
        ("video", [np.zeros((8, 8, 3), np.uint8), np.zeros((9, 8, 3), np.uint8)], "one size"),
        ("video", 3, "a int"),
    ],
)
def test_what_is_not_sound_or_video_is_named(adapter, kind, item, message):
    with pytest.raises(DatasetError, match=message):
        encode(adapter, kind, [item])


def test_a_sound_file_has_no_frames(adapter):
    path = ODD / "02_audio_only.mp4"
    assert encode(adapter, "audio", [path]).shape == (1, NUM_FRAMES * 16)
    with pytest.raises(NoVideoStreamError):
        encode(adapter, "video", [path])


@pytest.mark.parametrize("modalities", [("text",), ("audio", "video"), ("video", "text")])
def test_sides_that_the_model_cannot_embed_are_refused(adapter, modalities):
    with pytest.raises(ConfigError, match="Some2Task needs one vector of"):
        adapter.encode(Loader("audio", []), task_metadata=Task(*modalities), hf_split="s", hf_subset="x")


def test_without_mteb_the_way_to_install_it_is_named(adapter, monkeypatch):
    monkeypatch.setitem(sys.modules, "mteb.models.model_meta", None)  # what Python keeps of what is not there
    with pytest.raises(ConfigError, match=r"pip install 'cavmae-sync\[mteb\]'"):
        _ = adapter.mteb_model_meta


def test_similarity_is_our_score(adapter, embedder, videos):
    ours = own_embeddings(embedder, videos[:3])
    scores = adapter.similarity(clip_vectors(ours.audio_NTD).numpy(), clip_vectors(ours.visual_NTD))
    torch.testing.assert_close(scores, similarity_matrix(ours.audio_NTD, ours.visual_NTD), atol=1e-6, rtol=0)
