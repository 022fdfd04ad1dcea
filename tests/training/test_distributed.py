"""Two and four processes equal one: every loss, gradient and weight, and runs that move between them."""

from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch

from cavmae_sync.data import ClipOrder, ClipSampler, PairDataset, PreparedDataset, make_loader
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError, TrainingError
from cavmae_sync.model import CAVMAESync
from cavmae_sync.training import open_world, read_metrics
from cavmae_sync.weights import load_model

from ..kills import run_apart
from .conftest import CPU
from .processes import (
    SETTINGS,
    WORLDS,
    accumulating_run,
    main,
    one_update,
    shared_out_in,
    train,
    validation_losses,
)
from .tiny import TINY_MODEL


@pytest.fixture(scope="module")
def out(prepared_folder: Path, made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """Folder of the results of worlds of two and of four processes."""

    def make(folder: Path) -> None:
        run_apart(main, prepared_folder, folder, seconds=600)

    return made_once("worlds", make)


@pytest.fixture(scope="module", params=WORLDS)
def ranks(request: pytest.FixtureRequest, out: Path) -> list[dict[str, Any]]:
    """What each process of one world found."""
    return [
        torch.load(out / f"world{request.param}_rank{rank}.pt", weights_only=True)
        for rank in range(request.param)
    ]


@pytest.mark.parametrize("name", SETTINGS)
def test_losses_and_every_gradient_equal_those_of_one_process(ranks, name: str):
    check_equals_one_process(ranks, name)


def test_and_where_each_process_keeps_a_part_of_the_parameters(ranks):
    for name in shared_out_in(len(ranks)):
        check_equals_one_process(ranks, name, kept=", shared out")


def check_equals_one_process(ranks, name: str, *, kept: str = "") -> None:
    losses, num_parts = SETTINGS[name]
    if name == "local":  # the candidates of a process are a shard of the batch
        contrast = losses.contrast.model_copy(update={"negatives": f"shard:{8 // len(ranks)}"})
        losses = losses.model_copy(update={"contrast": contrast})
    expected = one_update(losses, CPU)
    assert num_parts == 1 or name == "global, accumulated"
    for rank in ranks:
        assert rank[name + kept].keys() == expected.keys()
        for key, value in expected.items():
            # Adam divides by the size of a gradient, of one that is 0 but for rounding too.
            atol = 1e-10 if key.startswith("weight") else 1e-12
            torch.testing.assert_close(
                rank[name + kept][key], value, atol=atol, rtol=1e-9, msg=f"{name}: {key}"
            )


def test_gradients_sent_in_bfloat16_are_rounded_to_it_and_no_further(ranks):
    """8 bits of mantissa: up to 1/256 off, once before and once after the sum; and not equal by mistake."""
    exact = one_update(SETTINGS["global"][0], CPU)
    for rank in ranks:
        found = rank["bfloat16 gradients"]
        assert found.keys() == exact.keys()
        torch.testing.assert_close(
            found["contrastive loss"], exact["contrastive loss"], rtol=1e-9, atol=1e-12
        )
        names = [key for key in exact if key.startswith("gradient") and exact[key].norm() > 1e-8]
        for name in names:
            off = (found[name] - exact[name]).norm() / exact[name].norm()
            assert 1e-6 < off < 0.02, name
    assert all(
        torch.equal(ranks[0]["bfloat16 gradients"][name], ranks[-1]["bfloat16 gradients"][name])
        for name in names
    )


def test_parameters_without_part_in_the_loss_get_no_gradient():
    found = one_update(SETTINGS["no reconstruction"][0], CPU)
    assert not any(key.startswith("gradient decoder.") for key in found)


def test_validation_shared_out_gives_the_same_bits(ranks, prepared_folder: Path):
    expected = validation_losses(prepared_folder, CPU)
    assert [rank["validation"] for rank in ranks] == [expected] * len(ranks)


def test_vectors_shared_out_are_those_of_one_process(ranks, prepared_folder: Path):
    whole = Embedder(CAVMAESync(TINY_MODEL, generator=torch.Generator().manual_seed(0)), batch_size=8)
    found = whole.embed_dataset(PreparedDataset.open(prepared_folder))
    for rank in ranks:
        assert torch.equal(rank["vectors"][0], found.audio_NTD)
        assert torch.equal(rank["vectors"][1], found.visual_NTD)


@pytest.fixture(scope="module")
def alone(prepared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process that was never interrupted."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    train(accumulating_run(), prepared_folder, folder, CPU)
    return folder


@pytest.mark.parametrize("name", ["run2", "run4", "moved"])
def test_a_run_of_two_processes_is_that_of_one(out: Path, alone: Path, name: str):
    """Of four too, which share out the parameters; `moved` went on from one process with two, four and one.

    In a second world of the same processes, with two parts a step; only the main process has the folder, and
    the others' fresh weights and states come from it.
    """
    expected, found = (read_metrics(folder / "metrics.jsonl") for folder in (alone, out / name))
    assert len(expected) == len(found)
    for one, other in zip(expected, found, strict=True):
        assert one.pop("kind") == other.pop("kind")
        for row in (one, other):
            row.pop("clips_per_second", None), row.pop("waiting_fraction", None)
        assert other == pytest.approx(one, rel=1e-3)
    weights, moved = (load_model(run / "weights.safetensors").state_dict() for run in (alone, out / name))
    fresh = CAVMAESync(TINY_MODEL, generator=torch.Generator().manual_seed(0)).state_dict()
    # As vectors: Adam makes steps of single gradients that are 0 but for rounding.
    learned, differs = (
        torch.cat([(weights[key] - other[key]).flatten() for key in weights]).norm()
        for other in (fresh, moved)
    )
    assert differs < 1e-2 * learned


@pytest.mark.parametrize(("negatives", "over"), [("local", "batch"), ("global", "part"), ("local", "part")])
def test_negatives_that_depend_on_the_number_of_processes_keep_it(bench, negatives: str, over: str):
    config = accumulating_run().with_overrides(
        [f"losses.contrast.negatives={negatives}", f"loop.contrast_over={over}"]
    )
    run = bench.begin(config)
    run.world = replace(CPU, num_processes=2)  # as its checkpoint will say
    run.step = 1
    with run.checkpoints:
        run._save()
    with pytest.raises(TrainingError, match=r"This run had 2, now there are 1\. Start 2"):
        bench.begin(config)


@pytest.mark.parametrize("num_processes", [2, 4])
def test_what_is_read_in_a_step_does_not_depend_on_who_reads(prepared: PreparedDataset, num_processes: int):
    """The shares of processes, one after the other, are the batch of one: clips, frames and sounds."""
    dataset = PairDataset(prepared, inputs=TINY_MODEL.inputs, seed=3)

    def batches(rank: int, num: int) -> list[list[tuple[str, int, float]]]:
        sampler = ClipSampler(
            ClipOrder(len(dataset), seed=3), batch_size=8, stop_batch=3, rank=rank, num_processes=num
        )
        return [
            list(zip(b.clip_ids, b.frame_index_P.tolist(), b.segments_PLM.sum((1, 2)).tolist(), strict=True))
            for b in make_loader(dataset, sampler=sampler)
        ]

    shares = zip(*(batches(rank, num_processes) for rank in range(num_processes)), strict=True)
    assert [list(chain(*share)) for share in shares] == batches(0, 1)


def test_what_holds_in_one_process_holds_in_any(ranks):
    assert [rank["any"] for rank in ranks] == [[True, False]] * len(ranks)


def test_the_main_process_tells_what_it_has_or_why_it_has_not(ranks):
    for number, rank in enumerate(ranks):
        told = rank["from main"]
        assert told["rows"][0].tolist() == [0, 1, 2]
        assert (told["step"].item(), told["rank"]) == (0, 0)
        assert rank["failure"] == ("" if number == 0 else "The main process stopped: ") + "the disk is full"


def test_processes_that_were_started_differently_are_named(ranks):
    last = len(ranks) - 1
    for rank in ranks:
        assert rank["facts"].startswith(f"process {last} has seed=7, process 0 has 5. Start all processes")


def test_one_process_gathers_its_own_rows():
    rows = torch.randn(3, 2)
    gathered = CPU.gather(rows)
    assert gathered.rows_GD is rows
    assert gathered.offset == 0


@pytest.mark.parametrize(
    ("device", "says"),
    [("gpu", "there is no device 'gpu'; use one of cpu, cuda, mps"), ("cuda:3", "CUDA_VISIBLE_DEVICES")],
)
def test_an_unknown_device_is_refused(device: str, says: str):
    with pytest.raises(TrainingError, match=says), open_world(device):
        pass


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_is_refused():
    with pytest.raises(ConfigError, match="has no device 'cuda'"), open_world("cuda"):
        pass
