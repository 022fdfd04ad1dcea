"""`embed`, and `evaluate retrieval --embeddings`, as a shell would call them."""

import json
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def ours(cli, weights, prepared_folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "ours.npz"
    assert cli("embed", weights, "--data", prepared_folder, "--out", path).code == 0
    return path


def spoilt(path: Path, **changed) -> Path:
    """Somebody else's file of the same clips in another order, a little worse."""
    stored = dict(np.load(path))
    order = np.random.default_rng(0).permutation(len(stored["ids"]))
    noise = np.random.default_rng(1).normal(size=stored["visual"].shape, scale=0.05)
    theirs = {
        "audio": stored["audio"][order],
        "visual": (stored["visual"] + noise)[order],
        "ids": stored["ids"][order],
        "name": "theirs",
        **changed,
    }
    np.savez(
        path.with_name("theirs.npz"), **{name: each for name, each in theirs.items() if each is not None}
    )
    return path.with_name("theirs.npz")


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_a_file_of_our_own_gives_the_very_report_of_the_model(
    cli, weights, prepared_folder, tmp_path, suffix
):
    path = tmp_path / f"x{suffix}"
    written = cli("embed", weights, "--data", prepared_folder, "--out", path, "--json")
    about = json.loads(written.out)
    assert (about["num_clips"], about["num_frames"], about["width"]) == (14, 4, 16)
    words = ("--all-aggregations", "--json")
    of_model = cli("evaluate", "retrieval", weights, "--data", prepared_folder, *words)
    of_file = cli("evaluate", "retrieval", "--embeddings", path, *words)
    assert (of_model.code, of_file.code) == (0, 0), of_file.err
    assert of_file.out == of_model.out
    one_frame = ("--frame", 2, "--num-clips", 5, "ties=optimistic", "--json")
    of_model = cli("evaluate", "retrieval", weights, "--data", prepared_folder, *one_frame)
    checked = cli("evaluate", "retrieval", "--embeddings", path, "--data", prepared_folder, *one_frame)
    assert checked.out == of_model.out


def test_controls_and_picture_of_a_file(cli, ours, tmp_path: Path):
    picture = tmp_path / "x.png"
    ran = cli("evaluate", "retrieval", "--embeddings", ours, "--with-controls", "--figure", picture, "--json")
    found = json.loads(ran.out)
    assert list(found) == ["model", "shuffled", "oracle", "knowledge"]
    assert found["oracle"]["metrics"]["audio_to_visual/recall_at_1"]["value"] == 1
    assert found["oracle"]["counts"]["sounds_equal_to_their_picture"] == 14
    assert picture.stat().st_size > 1000
    table = cli("evaluate", "retrieval", "--embeddings", ours, "--with-controls").out
    assert "what it knows: ours.npz" in table
    assert "frames of another clip" in table
    assert "WHEN:" in table, "and says it in words"


def test_several_files_are_compared_on_one_list(cli, ours, prepared):
    theirs = spoilt(ours)
    words = ("evaluate", "retrieval", "--embeddings", ours, "--embeddings", theirs)
    found = json.loads(cli(*words, "--json").out)
    assert list(found) == ["ours.npz", "theirs", "comparison"]
    assert {found[name]["clip_list"] for name in found} == {prepared.list_sha256}
    own = [found[name]["metrics"]["audio_to_visual/recall_at_5"]["value"] for name in ("theirs", "ours.npz")]
    compared = found["comparison"]["metrics"]["theirs minus ours.npz/audio_to_visual/recall_at_5"]
    assert compared["value"] == pytest.approx(own[0] - own[1])
    assert "points" in cli(*words).out
    with_all = json.loads(cli(*words, "--all-aggregations", "--with-controls", "--json").out)
    assert list(with_all["comparison"]) == ["diagonal_mean", "diagonal_max", "block_mean", "block_max"]
    assert list(with_all["theirs"]) == ["model", "shuffled", "oracle", "knowledge"]


def test_a_list_chooses_and_orders_the_clips_of_a_file_as_those_of_a_dataset(
    cli, ours, weights, prepared, tmp_path: Path
):
    chosen = [prepared.clip_ids[i] for i in (9, 2, 11, 5, 7, 3)]
    (tmp_path / "list.txt").write_text("\n".join(chosen) + "\n", encoding="utf-8")
    words = ("--list", tmp_path / "list.txt", "--num-clips", 4, "--json")
    of_model = json.loads(cli("evaluate", "retrieval", weights, "--data", prepared.folder, *words).out)
    of_file = json.loads(cli("evaluate", "retrieval", "--embeddings", ours, *words).out)
    assert of_file["metrics"] == of_model["metrics"]
    assert of_file["counts"]["queries"] == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("model.safetensors",), "either a model (model.safetensors) or --embeddings, not both"),
        (("--device", "cpu"), "cannot be used with --embeddings"),
        (("--precision", "float32", "--representation", "global"), "cannot be used with --embeddings"),
        (("--num-workers", "0"), "--num-workers cannot be used"),
        (("--frame", "4"), "no frame 4: clips have frames 0 to 3"),
        (("--embeddings", "nothing.npz"), "nothing.npz does not exist"),
        (("--data", "nowhere"), "nowhere"),
    ],
)
def test_what_makes_no_sense_with_a_file_is_refused(cli, ours, words, message):
    ran = cli("evaluate", "retrieval", *words, "--embeddings", ours)
    assert ran.code == 1
    assert message in " ".join(ran.err.split())


def test_other_refusals(cli, ours, weights, prepared_folder, tmp_path: Path):
    def says(*words):
        ran = cli(*words)
        assert (ran.code, ran.out) == (1, "")
        return " ".join(ran.err.split())

    assert "or give --embeddings" in says("evaluate", "retrieval")
    assert "or give --embeddings" in says("evaluate", "retrieval", weights)
    bare = spoilt(ours, ids=None)
    both = ("evaluate", "retrieval", "--embeddings", ours, "--embeddings", bare)
    assert "has no ids" in says(*both)
    assert "has no ids" in says("evaluate", "retrieval", "--embeddings", bare, "--data", prepared_folder)
    assert cli("evaluate", "retrieval", "--embeddings", bare).code == 0
    picture = ("--figure", tmp_path / "x.png")
    assert "--figure shows one file" in says(*both, *picture)
    out = ("--out", tmp_path / "x.npy")
    assert "must be a .npz or .parquet file" in says("embed", weights, "--data", prepared_folder, *out)
    assert not out[1].exists()


def test_a_model_stands_beside_all_that_could_explain_it(
    cli, weights, prepared_folder: Path, stage_folder: Path, tmp_path: Path
):
    figure = tmp_path / "measures.png"
    options = ("--with-controls", "--stage", stage_folder, "--train-data", prepared_folder)
    words = ("evaluate", "retrieval", weights, "--data", prepared_folder, *options)
    ran = cli(*words, "--measures-figure", figure, "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert list(found) == ["model", "untrained", "shuffled", "oracle", "knowledge"]
    assert figure.stat().st_size > 1000
    groups = [row["group"] for row in found["knowledge"]["rows"]]
    assert {name: groups.count(name) for name in dict.fromkeys(groups)} == {
        "model": 1,
        "control": 3,
        "baseline": 6 * 8,
        "fitted": 3,
        "ceiling": 4,
    }
    measures = [verdict["measure"] for verdict in found["knowledge"]["verdicts"]]
    assert measures == ["both", "what", "when", "moment", "state"]
    assert "moment/audio_to_visual/state_accuracy" in found["model"]["metrics"]
    assert found["model"]["config"]["stage"].startswith("stage2-")
    curve = found["model"]["moment_over_offset"]
    assert curve["offset_frames"] == [-3, -2, -1, 0, 1, 2, 3]
    table = cli(*words).out
    assert "the truth:" in table
    assert "more rules that learn nothing" in table


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--train-data", "x"), "Give --with-controls and --data as well"),
        (("--stage", "x"), "Give --data as well"),
        (("--stage", "x", "--data", "x", "--frame", "1"), "Leave one out"),
    ],
)
def test_options_without_effect_are_refused(cli, ours: Path, options, says: str):
    ran = cli("evaluate", "retrieval", "--embeddings", ours, *options)
    assert ran.code != 0
    assert says in ran.err
