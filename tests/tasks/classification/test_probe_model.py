"""From clips to a probe and its report, on generated clips."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.data.lists.clip_weights import write_weights
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError, DatasetError, TrainingError
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig
from cavmae_sync.recipes.probing import find_probe_recipe
from cavmae_sync.tasks.classification.config import ProbeConfig
from cavmae_sync.tasks.classification.controls import control_reports
from cavmae_sync.tasks.classification.features import embed_features
from cavmae_sync.tasks.classification.probe import Probe
from cavmae_sync.tasks.classification.probe_model import probe_model
from cavmae_sync.training import load_run_or_weights
from cavmae_sync.weights import load_model, weights_fingerprint

TINY = ModelConfig(
    inputs=InputConfig(frame_pixels=32, segment_length=32, alignment="valid"),
    width=16,
    depth=1,
    heads=2,
    registers=2,
    decoder=DecoderConfig(width=8, depth=1, heads=2),
)
WORDS = (
    "classifier.batch_size=4",
    "classifier.num_epochs=2",
    "classifier.averaging.first_epoch=1",
    "classifier.averaging.last_epoch=none",
    "num_bootstrap=20",
)
ONE_RATE = ("learning_rates=none", "optim.learning_rate=1e-3")


@pytest.fixture
def embedder() -> Embedder:
    model = CAVMAESync(TINY, generator=torch.Generator().manual_seed(0)).eval()
    return Embedder(model, device="cpu", batch_size=32)


def config(*words: str, recipe: str = "probe_as20k") -> ProbeConfig:
    return find_probe_recipe(recipe).with_overrides([*WORDS, *words])


def probed(embedder: Embedder, prepared: PreparedDataset, out: Path, *words: str, **also: Any):
    return probe_model(
        embedder, config(*words), train=prepared, test=prepared, out=out, allow_overlap=True, **also
    )


def rows_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_a_run_writes_everything_and_tells_the_same(embedder, prepared, tmp_path: Path):
    out = tmp_path / "probe"
    result = probed(embedder, prepared, out, "learning_rates=1e-3,1e-2")
    assert ProbeConfig.model_validate_json((out / "config.json").read_text()) == config(
        "learning_rates=1e-3,1e-2"
    )
    report = json.loads((out / "report.json").read_text())
    assert report == result.report.to_dict()
    assert report["counts"]["clips"] == 14
    assert report["config"]["learning_rate"] == result.learning_rate
    assert set(result.held_out_scores) == {1e-3, 1e-2}
    kinds = [(row["kind"], row["step"]) for row in rows_of(out)]
    assert kinds == [
        (kind, epoch) for kind in ("learning_rate_0.001", "learning_rate_0.01", "train") for epoch in (1, 2)
    ]
    assert result.learning_rate == max(result.held_out_scores, key=result.held_out_scores.__getitem__)

    loaded = Probe.load(out)
    features = embed_features(embedder, prepared, loaded.features)
    torch.testing.assert_close(loaded.probabilities(features).logit().float(), result.report.scores_NC)
    loaded.check_weights(weights_fingerprint(embedder.model))
    averaged = Probe.load(out / "averaged")
    assert not torch.equal(averaged.head.norm.bias, loaded.head.norm.bias)
    assert result.reports["averaged"].made_with["weights_of"] == "mean of 2 epochs"


def test_a_run_is_never_overwritten(embedder, prepared, tmp_path: Path):
    probed(embedder, prepared, tmp_path / "probe", *ONE_RATE)
    with pytest.raises(TrainingError, match="already holds a probe"):
        probed(embedder, prepared, tmp_path / "probe", *ONE_RATE)


def test_the_same_seed_the_same_probe_and_stored_features_change_nothing(embedder, prepared, tmp_path: Path):
    """Stored features are float16, so that the probes agree to its rounding."""
    anew = probed(embedder, prepared, tmp_path / "a", *ONE_RATE, "backbone=frozen")
    stored = probed(embedder, prepared, tmp_path / "b", *ONE_RATE)
    again = probed(embedder, prepared, tmp_path / "c", *ONE_RATE, features=tmp_path / "b" / "features")
    assert torch.equal(stored.report.scores_NC, again.report.scores_NC)
    torch.testing.assert_close(anew.report.scores_NC, stored.report.scores_NC, atol=0.02, rtol=0.02)
    assert not (tmp_path / "a" / "features").exists()
    assert not (tmp_path / "c" / "features").exists()


def test_probing_never_touches_the_model(embedder, prepared, tmp_path: Path):
    before = weights_fingerprint(embedder.model)
    for backbone in ("cached", "frozen"):
        probed(embedder, prepared, tmp_path / backbone, *ONE_RATE, f"backbone={backbone}")
    assert weights_fingerprint(embedder.model) == before


def test_fine_tuning_trains_a_copy_and_saves_it(embedder, prepared, tmp_path: Path):
    before = weights_fingerprint(embedder.model)
    out = tmp_path / "finetuned"
    made = find_probe_recipe("finetune_as20k").with_overrides([*WORDS, "augment.time_mask_length=20"])
    result = probe_model(embedder, made, train=prepared, test=prepared, out=out, allow_overlap=True)
    assert weights_fingerprint(embedder.model) == before
    for folder, probe in ((out, result.probes["last_epoch"]), (out / "averaged", result.probes["averaged"])):
        tuned = load_model(folder / "weights.safetensors")
        assert weights_fingerprint(tuned) == Probe.load(folder).weights == probe.weights != before
        assert Path(probe.model_path) == folder.absolute()
    assert result.probes["last_epoch"].weights != result.probes["averaged"].weights
    tuned = load_run_or_weights(out)  # the folder serves as a run
    scores = result.probes["last_epoch"].probabilities(
        embed_features(Embedder(tuned, device="cpu"), prepared, result.probes["last_epoch"].features)
    )
    torch.testing.assert_close(scores, result.report.scores_NC.double().sigmoid(), atol=2e-3, rtol=2e-3)
    for name, value in embedder.model.state_dict().items():  # what features do not pass through stays
        if name.startswith(("decoder.", "joint.")):
            assert torch.equal(tuned.state_dict()[name], value)


def test_controls_are_perfect_and_chance(prepared):
    reports = control_reports(config(), train=prepared, test=prepared)
    assert reports["oracle"].metrics["mean_average_precision"].value == 1
    frequency = reports["class_frequency"]
    shares = [score.num_positives / 14 for score in frequency.class_scores]
    assert frequency.metrics["mean_average_precision"].value == pytest.approx(sum(shares) / len(shares))
    assert frequency.metrics["auc"].value == 0.5


def test_classes_without_test_clips_are_left_out_and_named(embedder, prepared, tmp_path: Path):
    test = prepared.head(5)
    result = probe_model(
        embedder, config(*ONE_RATE), train=prepared, test=test, out=tmp_path / "probe", allow_overlap=True
    )
    absent = {name for names in prepared.labels for name in names} - {
        name for names in test.labels for name in names
    }
    assert set(result.report.classes_excluded) == absent != set()


def test_labels_that_only_the_test_has_are_an_error(embedder, prepared, tmp_path: Path):
    out = tmp_path / "probe"
    with pytest.raises(DatasetError, match="no training clip has"):
        probe_model(embedder, config(), train=prepared.head(4), test=prepared, out=out, allow_overlap=True)
    assert not (tmp_path / "probe").exists()


def test_clips_without_labels_are_an_error(embedder, prepared, stage_folder, tmp_path: Path):
    small = PrepareConfig(clip_seconds=1.0, num_frames=4, frame_pixels=32)
    prepare(stage_folder / "clips", out=tmp_path / "bare", config=small, num_workers=0)
    with pytest.raises(DatasetError, match="--labels FILE"):
        probed(embedder, PreparedDataset.open(tmp_path / "bare"), tmp_path / "probe")


def test_weights_of_a_file_balance_as_those_of_the_labels_do(embedder, prepared, tmp_path: Path):
    """The same numbers, once computed and once read: the same run. Another list's are refused."""
    file = tmp_path / "train_weight.csv"
    write_weights(file, prepared.labels)
    balanced = (*ONE_RATE, "classifier.is_balanced=true")
    probed(embedder, prepared, tmp_path / "labels", *balanced)
    probed(embedder, prepared, tmp_path / "file", *balanced, f"classifier.weights_file={file}")
    assert rows_of(tmp_path / "labels") == rows_of(tmp_path / "file")
    with pytest.raises(DatasetError, match="has 14 weights for 13 clips"):
        probe_model(
            embedder,
            config(*balanced, f"classifier.weights_file={file}"),
            train=prepared.head(13),
            test=prepared,
            out=tmp_path / "other",
            allow_overlap=True,
        )


def test_one_class_each_needs_one_label_each(embedder, prepared, tmp_path: Path):
    several = [names for names in prepared.labels if len(names) > 1]
    assert several
    with pytest.raises(ConfigError, match=r"have several labels .* Use classifier.loss=bce"):
        probed(embedder, prepared, tmp_path / "probe", "classifier.loss=ce")


def test_one_label_per_clip_is_reported_by_accuracy(embedder, prepared, tmp_path: Path):
    single = prepared.subset([row for row, names in enumerate(prepared.labels) if len(names) == 1])
    result = probed(embedder, single, tmp_path / "probe", "classifier.loss=ce", *ONE_RATE)
    assert "accuracy" in result.report.metrics


@pytest.mark.parametrize(
    "words", [(), ("backbone=trained", "learning_rates=none")], ids=["probe", "fine-tune"]
)
def test_clips_that_were_learned_from_are_not_measured_on(embedder, prepared, tmp_path: Path, words):
    train = prepared.subset(range(12))
    known = {name for names in train.labels for name in names}
    unseen = [row for row in (12, 13) if known.issuperset(prepared.labels[row])]
    test = prepared.subset([3, *unseen, 5])
    asked, told = config(*ONE_RATE, *words), rf"2 of {len(test)} clips .*{prepared.clip_id(3)} \(same file\)"
    with pytest.raises(DatasetError, match=told):
        probe_model(embedder, asked, train=train, test=test, out=tmp_path / "probe")
    assert not (tmp_path / "probe").exists()
    result = probe_model(embedder, asked, train=train, test=test, out=tmp_path / "probe", allow_overlap=True)
    assert result.report.made_with["test_clips_also_in_training"] == 2
