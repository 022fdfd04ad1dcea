"""The examples for other encoders run as written on the pages of the tasks; what they write is evaluated."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.embedding import read_embeddings
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks.classification.feature_files import open_features
from cavmae_sync.tasks.localization.ade20k import Ade20kFolder
from cavmae_sync.tasks.localization.evaluate import LocalizationConfig, localization_report
from cavmae_sync.tasks.localization.map_files import read_maps, row_ids
from cavmae_sync.tasks.localization.stage_examples import StageExamples
from cavmae_sync.tasks.retrieval import open_embeddings, retrieval_report
from cavmae_sync.weights import save_model

from ..tasks.localization.test_ade20k_examples import prompted  # noqa: F401 (a fixture)

DOCS = Path(__file__).parents[2] / "docs"
PAGES = tuple(DOCS / f"{task}.md" for task in ("retrieval", "classification", "localization"))


def block(marker: str) -> str:
    """The one example of that name."""
    pattern = rf"<!-- {marker} -->\n```python\n(.*?)```"
    (found,) = (
        each for page in PAGES for each in re.findall(pattern, page.read_text("utf-8"), flags=re.DOTALL)
    )
    return found


def test_the_file_of_any_encoder_is_written_and_measured(prepared, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "test").symlink_to(prepared.folder)
    names = {
        "encode_sound": lambda waveform_S: np.abs(np.fft.rfft(waveform_S[:4096]))[:27],
        "encode_picture": lambda frame_HWC: frame_HWC[4::10, 4::10].astype(np.float32).reshape(-1)[:27],
    }
    exec(block("write"), names)  # our own page
    (vectors,) = open_embeddings([Path("imagebind.npz")], clips=prepared).values()
    assert vectors.audio_NTD.shape == (14, 4, 27)
    assert vectors.made_with == {"name": "ImageBind", "audio_vectors_per_clip": 1, "rescaled_vectors": 14 * 5}
    report = retrieval_report(vectors)
    assert report.counts["gallery"] == 14
    assert report.clip_list == prepared.list_sha256


def test_the_features_of_any_model_are_written_and_probed(stage_folder: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = sorted((stage_folder / "clips").iterdir())
    small = PrepareConfig(clip_seconds=1.0, num_frames=4, frame_pixels=32)
    for split, some in (("train", files[:10]), ("test", files[10:])):
        (tmp_path / f"{split}.txt").write_text("".join(f"{file}\n" for file in some))
        names = stage_folder / "labels.csv"
        prepare(
            tmp_path / f"{split}.txt",
            out=tmp_path / "data" / split,
            config=small,
            labels=names,
            num_workers=0,
        )
    names = {
        "encode_clip": lambda waveform_S, frame_HWC: np.concatenate(
            [np.abs(np.fft.rfft(waveform_S[:4096]))[:5], frame_HWC[4::10, 4::10].reshape(-1)[:4] / 255.0]
        )
    }
    exec(block("features"), names)  # our own page
    lists = {split: PreparedDataset.open(tmp_path / "data" / split) for split in ("train", "test")}
    given = open_features(Path("features.npz"), **lists)
    assert given.features_NTD.shape == (14, 4, 9)
    assert (given.name, given.num_unused, given.rows) == (
        "ImageBind",
        0,
        (tuple(range(10)), (10, 11, 12, 13)),
    )


def test_the_maps_of_any_model_are_written_and_measured(prepared, stage_folder, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for link, folder in (("data/test", prepared.folder), ("stage/test", stage_folder)):
        (tmp_path / link).parent.mkdir()
        (tmp_path / link).symlink_to(folder)

    def locate(image_HWC, waveform_S, seconds):
        assert image_HWC.shape == (224, 224, 3)
        assert 0 <= seconds <= len(waveform_S) / 16_000 == 1.0
        return image_HWC[::16, ::16].astype(np.float32).mean(axis=2)

    exec(block("maps"), {"locate": locate})  # our own page
    examples = StageExamples(prepared, StageTruth(stage_folder))
    maps = read_maps(Path("maps.npz"), examples)
    assert (maps.name, maps.maps[0].shape) == ("DenseAV", (14, 14))
    report = localization_report(maps, examples, LocalizationConfig(num_bootstrap=0))
    assert report.counts["maps_of_other_questions"] == 0


def test_the_questions_of_ade20k_are_opened_as_written(
    prompted: Ade20kFolder,  # noqa: F811 (the fixture)
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch,
):
    here = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(here)
    (here / "ADE20KSoundPrompted").symlink_to(prompted.folder)
    names: dict[str, Any] = {"np": np, "row_ids": row_ids}
    exec(block("ade20k"), names)  # our own page, both blocks of it
    measuring = block("maps").split("maps = []")[1]
    names["locate"] = lambda image_HWC, *_: image_HWC[:8, :8, 0] / 255
    exec("maps = []" + measuring, names)
    examples = names["examples"]
    maps = read_maps(here / "maps.npz", examples)
    report = localization_report(maps, examples, LocalizationConfig(num_bootstrap=0))
    assert report.counts["rows"] == 3


def test_every_name_of_the_table_is_read(tmp_path: Path):
    table = PAGES[0].read_text("utf-8").split("### The vector file")[1].split("| What is in the file")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    found = re.findall(r"`(\w+)`", "".join(rows))
    from cavmae_sync.embedding.vector_formats import FACTS, PER_CLIP, VECTORS

    assert sorted(found) == sorted((*VECTORS, *PER_CLIP, *FACTS))
    np.savez(tmp_path / "x.npz", audio=np.eye(3), visual=np.eye(3))
    assert read_embeddings(tmp_path / "x.npz").audio_NTD.shape == (3, 1, 3)


def test_the_example_of_mteb_names_what_exists(tmp_path: Path, monkeypatch):
    """All of it but the tasks themselves, which MTEB would download."""
    mteb = pytest.importorskip("mteb")
    config = ModelConfig(
        inputs=InputConfig(frame_pixels=16, segment_length=16),
        width=16, depth=1, heads=2, registers=1, decoder=DecoderConfig(width=8, depth=1, heads=2),
    )  # fmt: skip
    monkeypatch.chdir(tmp_path)
    save_model(CAVMAESync(config), "weights.safetensors")
    asked = []
    monkeypatch.setattr(mteb, "evaluate", lambda adapter, tasks: asked.append((adapter, list(tasks))))
    exec(block("mteb"), {})  # our own page
    ((adapter, (task,)),) = asked
    assert isinstance(adapter, mteb.models.EncoderProtocol)
    assert task.metadata.get_modalities(mteb.types.PromptType.query) == ["audio"]
    assert set(task.metadata.modalities) == set(adapter.mteb_model_meta.modalities)
