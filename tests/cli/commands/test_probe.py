"""`cavmae-sync probe` from the command line."""

import json
from pathlib import Path

import pytest

from cavmae_sync.tasks.classification.probe import Probe

QUICK = (
    "learning_rates=1e-3,1e-2",
    "classifier.batch_size=4",
    "classifier.num_epochs=2",
    "classifier.averaging.first_epoch=none",
    "classifier.averaging.last_epoch=none",
    "num_bootstrap=20",
)


def test_a_probe_with_controls(cli, weights: Path, prepared_folder: Path, tmp_path: Path):
    out = tmp_path / "probe"
    words = ("probe", weights, *QUICK, "--train", prepared_folder, "--test", prepared_folder)
    refused = cli(*words, "--out", out)
    assert (refused.code, refused.out) == (1, "")
    assert "14 of 14 clips of" in refused.err
    words = (*words, "--allow-overlap")
    ran = cli(*words, "model.inputs.alignment=valid", "--out", out, "--with-controls", "--json")
    assert ran.code == 0, ran.err
    facts = json.loads(ran.out)
    assert set(facts["held_out_scores"]) == {"0.001", "0.01"}
    assert set(facts["reports"]) == {"last_epoch", "untrained", "oracle", "class_frequency"}
    assert facts["reports"]["oracle"]["metrics"]["mean_average_precision"]["value"] == 1
    assert Probe.load(out).model_path == str(weights.absolute())

    linear = cli(
        *words, "head=linear", "features.modalities=audio", "--out", tmp_path / "b", "--features", out
    )
    assert linear.code == 0, linear.err
    assert "mean average precision" in linear.out
    assert "held-out training clips" in linear.out

    again = cli(*words, "--out", out)
    assert (again.code, again.out) == (1, "")
    assert "already holds a probe" in " ".join(again.err.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--recipe", "probe_as2k"), "no recipe"),
        (("augment.mixup_probability=0.5",), "backbone=frozen"),
        (("features.token=global",), 'Did you mean "features.tokens"?'),
    ],
)
def test_errors_say_what_to_do(cli, weights: Path, prepared_folder: Path, tmp_path: Path, words, message):
    ran = cli(
        "probe", weights, *words, "--train", prepared_folder, "--test", prepared_folder, "--out",
        tmp_path / "x",
    )  # fmt: skip
    assert (ran.code, ran.out) == (1, "")
    assert message in " ".join(ran.err.split())
    assert not (tmp_path / "x").exists()


def test_features_are_computed_in_shares_before_a_probe_is_trained(
    cli, weights: Path, prepared_folder: Path, tmp_path: Path
):
    words = (
        "probe", weights, *QUICK, "--train", prepared_folder, "--test", prepared_folder,
        "--out", tmp_path / "probe", "--features", tmp_path / "features", "--num-shards", 2,
    )  # fmt: skip
    # 14 clips go through the model as one batch, which is not divided: the first share has none.
    ran = [cli(*words, "--shard-index", index, "--json") for index in (0, 1)]
    assert [json.loads(each.out)["is_complete"] for each in ran] == [False, True]
    assert len(list((tmp_path / "features").rglob("*.npy"))) == 2  # sound and picture, joined
    assert not (tmp_path / "probe").exists()
    refused = cli(*words, "backbone=frozen")
    assert "there are none to share" in refused.err
    assert "--shard-index 2 must be at least 0 and below" in cli(*words, "--shard-index", 2).err


def test_features_of_any_model(cli, prepared_folder: Path, weights: Path, tmp_path: Path):
    import numpy as np

    from cavmae_sync import PreparedDataset

    clips = PreparedDataset.open(prepared_folder)
    file = tmp_path / "theirs.npz"
    np.savez(file, features=np.random.default_rng(0).normal(size=(14, 5)), ids=np.array(clips.clip_ids))
    lists = ("--train", prepared_folder, "--test", prepared_folder)
    words = ("probe", "--features", file, *lists, "--out", tmp_path / "p")
    assert "14 of 14 clips" in cli(*words, *QUICK).err
    ran = cli("probe", *QUICK, *words[1:], "--allow-overlap", "--with-controls", "--json")
    assert ran.code == 0, ran.err
    facts = json.loads(ran.out)
    assert list(facts["reports"]) == ["last_epoch", "shuffled", "oracle", "class_frequency"]
    assert facts["reports"]["last_epoch"]["config"]["features"] == "theirs"
    table = cli("probe", *QUICK, *words[1:-1], tmp_path / "q", "--allow-overlap")
    assert f"reports in {tmp_path / 'q'}" in " ".join(table.out.split()).replace("\n", "")
    for odd, says in (
        ((weights,), "either a model"),
        (("--precision", "bfloat16"), "--precision cannot be used with --features FILE"),
        (("--num-shards", "2"), "--num-shards cannot be used"),
        (("--recipe", "finetune_as20k"), "Use a recipe that probes"),
        (("--features", tmp_path / "gone.npz"), "gone.npz does not exist"),
    ):
        refused = cli(
            "probe", *odd, *(each for each in words[1:] if odd[0] != "--features" or each not in words[1:3])
        )
        assert (refused.code, refused.out) == (1, "")
        assert says in " ".join(refused.err.split())
    assert "or give --features FILE" in cli("probe", "--out", tmp_path / "x").err


def test_all_that_is_wrong_is_told_in_one_try(cli, tmp_path: Path):
    ran = cli(
        "probe", tmp_path / "no-model", "--train", tmp_path / "no-train", "--test", tmp_path / "no-test",
        "--out", tmp_path / "x", "--recipe", "probe_as2k",
    )  # fmt: skip
    assert ran.code == 1
    lines = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 4
    for word, line in zip(
        ("Did you mean 'probe_as20k'?", "no-train", "no-test", "no-model"), lines, strict=True
    ):
        assert word in line


def test_labels_and_losses_that_do_not_fit_are_told_with_it(
    cli, weights: Path, prepared_folder: Path, tmp_path
):
    ran = cli(
        "probe", weights, "--train", prepared_folder, "--test", prepared_folder, "--out", tmp_path / "x",
        "classifier.loss=ce", "held_out_fraction=0.0001",
    )  # fmt: skip
    said = " ".join(ran.err.split())
    assert ran.code == 1
    assert "classifier.loss=ce needs one class" in said
    assert "too few to hold out 0.0001" in said
    assert "14 of 14 clips of" in said
    assert not (tmp_path / "x").exists()
