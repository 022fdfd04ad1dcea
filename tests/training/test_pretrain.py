"""The loop: a run is complete, repeatable, and the same however it is interrupted."""

import itertools
import json
import shutil
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch

from cavmae_sync.data.draws import Purpose
from cavmae_sync.errors import DatasetError, NonFiniteLossError, TrainingError
from cavmae_sync.model import MaskingConfig
from cavmae_sync.training import (
    Callbacks,
    OptimConfig,
    PretrainConfig,
    RunFolder,
    learning_rate_at,
    read_metrics,
)
from cavmae_sync.weights import load_model, read_provenance

from .conftest import Bench
from .tiny import tiny_run


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """Metrics without what depends on the clock."""
    return [
        {k: v for k, v in row.items() if k not in ("clips_per_second", "waiting_fraction")}
        for row in read_metrics(folder / "metrics.jsonl")
    ]


def stop_after(num_steps: int) -> Callbacks:
    """Callbacks that ask a run to stop after some steps."""
    count = itertools.count(1)
    return Callbacks(should_stop=lambda: next(count) == num_steps)


class TestARun:
    def test_writes_weights_logs_and_checkpoints(self, complete_run: Path):
        names = {path.name for path in complete_run.iterdir()}
        assert {"config.json", "environment.json", "metrics.jsonl", "checkpoints"} <= names
        assert {"weights.safetensors", "best.safetensors"} <= names
        assert [(row["kind"], row["step"]) for row in rows_of(complete_run)] == [
            ("train", 2),
            ("validation", 3),
            ("train", 4),
            ("train", 6),
            ("validation", 6),
            ("train", 7),
            ("validation", 7),
        ]
        assert [path.name for path in RunFolder(complete_run).checkpoints()] == [
            "step_00000006.pt",
            "step_00000007.pt",
        ]

    def test_gives_the_weights_it_says(self, bench: Bench):
        run = bench.begin(tiny_run())
        run.run()
        loaded = load_model(bench.folder / "run" / "weights.safetensors").state_dict()
        assert all(torch.equal(loaded[name], value) for name, value in run.model.state_dict().items())

    def test_writes_the_frames_of_a_clip_into_the_header(self, complete_run: Path):
        for name in ("weights.safetensors", "best.safetensors"):
            assert read_provenance(complete_run / name).num_frames == 4

    def test_logs_the_learning_rate_and_epoch_of_each_step(self, bench: Bench):
        config = tiny_run(loop={"log_every_steps": 1})
        run = bench.begin(config, validates=False)
        run.run()
        for row in rows_of(bench.folder / "run"):
            expected = learning_rate_at(
                row["step"] - 1, config=config.optim, num_steps=run.num_steps, steps_per_epoch=3
            )
            assert row["learning_rate"] == pytest.approx(expected, rel=1e-12)
            assert row["epoch"] == row["step"] / 3

    def test_tells_callbacks_where_it_is(self, bench: Bench):
        reports, measured = [], []
        callbacks = Callbacks(
            on_step=reports.append,
            evaluators={"probe": lambda model: measured.append(model.training) or {"value": 0.5}},
        )
        bench.begin(tiny_run(), callbacks=callbacks).run()
        assert [report.step for report in reports] == list(range(1, 8))
        assert {report.num_steps for report in reports} == {7}
        assert measured == [False, False, False]
        probes = [row for row in rows_of(bench.folder / "run") if row["kind"] == "probe"]
        assert [row["value"] for row in probes] == [0.5] * 3

    def test_lasts_as_many_epochs_as_asked_for(self, bench: Bench):
        run = bench.begin(tiny_run(loop={"num_steps": None, "num_epochs": 2}))
        assert run.num_steps == 2 * (14 // 4)

    @pytest.mark.parametrize("precision", ["float16", "bfloat16"])
    def test_in_half_precision_stays_close_to_float32(self, bench: Bench, complete_run: Path, precision: str):
        bench.begin(tiny_run(loop={"precision": precision})).run()
        exact, rough = rows_of(complete_run)[-1], rows_of(bench.folder / "run")[-1]
        assert rough["total"] == pytest.approx(exact["total"], rel=0.02)

    def test_lowers_the_loss(self, bench: Bench):
        """Fourteen clips, seen fifty times, can be told apart and drawn."""
        config = tiny_run(
            loop={"num_steps": 50, "log_every_steps": 5, "batch_size": 14, "validate_every_steps": 50},
            optim=OptimConfig(learning_rate=1e-2),
            masking=MaskingConfig(ratio=0.5),
        )
        bench.begin(config, validates=False).run()
        train = [row for row in rows_of(bench.folder / "run") if row["kind"] == "train"]
        first, last = train[0], train[-1]
        assert last["total"] < 0.9 * first["total"]
        assert last["contrastive"] < first["contrastive"]
        assert last["visual_reconstruction"] < first["visual_reconstruction"]


class TestTheSameRun:
    """Byte for byte on the CPU."""

    @pytest.fixture
    def straight(self, complete_run: Path) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
        return self.result(complete_run)

    def result(self, folder: Path) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
        state = load_model(folder / "weights.safetensors").state_dict()
        return {key: value.numpy().tobytes() for key, value in state.items()}, rows_of(folder)

    def test_comes_out_twice(self, bench: Bench, straight):
        bench.begin(tiny_run(), name="again").run()
        assert self.result(bench.folder / "again") == straight

    @pytest.mark.parametrize("stop", [1, 3, 5, 7])
    def test_comes_out_after_a_stop(self, bench: Bench, straight, stop: int):
        """At a log row, between log rows, at a validation, and at the very end."""
        assert bench.begin(tiny_run(), name="stopped", callbacks=stop_after(stop)).run() == (stop == 7)
        assert bench.begin(tiny_run(), name="stopped").run()
        assert self.result(bench.folder / "stopped") == straight

    def test_comes_out_after_a_crash_between_checkpoints(self, bench: Bench, straight):
        """Steps after the last checkpoint are made again, and their rows are written once."""

        def fail(report):
            if report.step == 5:
                raise RuntimeError("power cut")

        with pytest.raises(RuntimeError, match="power cut"):
            bench.begin(tiny_run(), name="crashed", callbacks=Callbacks(on_step=fail)).run()
        assert rows_of(bench.folder / "crashed")[-1]["step"] == 4
        resumed = bench.begin(tiny_run(), name="crashed")
        assert resumed.step == 3
        resumed.run()
        assert self.result(bench.folder / "crashed") == straight

    def test_comes_out_after_a_version_that_wrote_fewer_numbers(self, bench: Bench, straight):
        """Its weights are the same; only the mean of the steps since its last row is of fewer steps."""
        bench.begin(tiny_run(), name="old", callbacks=stop_after(3)).run()
        (file,) = RunFolder(bench.folder / "old").checkpoints()
        state = torch.load(file, weights_only=True)
        assert len(state["rows_since_log"]) == 1
        state["rows_since_log"] = [row[:-1] for row in state["rows_since_log"]]
        del state["average"], state["own"]
        torch.save(state, file)
        assert bench.begin(tiny_run(), name="old").run()
        weights, _ = self.result(bench.folder / "old")
        assert weights == straight[0]

    def test_is_left_alone_when_it_was_complete(self, bench: Bench, complete_run: Path, straight):
        shutil.copytree(complete_run, bench.folder / "again")
        bench.begin(tiny_run(), name="again").run()
        assert self.result(bench.folder / "again") == straight

    def test_comes_out_without_validation(self, bench: Bench, straight):
        """Validation looks on and draws nothing."""
        bench.begin(tiny_run(), name="blind", validates=False).run()
        assert self.result(bench.folder / "blind")[0] == straight[0]

    def test_comes_out_with_workers(self, bench: Bench, straight):
        bench.begin(tiny_run(loop={"num_workers": 2}), name="workers").run()
        assert self.result(bench.folder / "workers") == straight

    @pytest.mark.long
    def test_in_blocks_comes_out_with_workers_and_after_a_stop(self, bench: Bench, straight):
        loop = {"read_order": "blocks", "read_block_clips": 3, "read_buffer_clips": 24}
        config, with_workers = tiny_run(loop=loop), tiny_run(loop=loop | {"num_workers": 2})
        bench.begin(config, name="blocks").run()
        bench.begin(with_workers, name="stopped", callbacks=stop_after(4)).run()
        bench.begin(with_workers, name="stopped").run()
        found = self.result(bench.folder / "blocks")
        assert self.result(bench.folder / "stopped") == found
        assert found[0] != straight[0]  # another order

    def test_is_another_with_another_seed(self, bench: Bench, straight):
        bench.begin(tiny_run(seed=1), name="other").run()
        assert self.result(bench.folder / "other")[0] != straight[0]

    def test_comes_out_in_parts_when_contrast_is_within_shards(self, bench: Bench):
        """Up to rounding: the gradients of parts are summed in another order."""
        for name, accumulation in (("whole", 1), ("parts", 2)):
            config = tiny_run(negatives="shard:2", loop={"accumulation": accumulation, "num_steps": 3})
            bench.begin(config, name=name).run()
        for whole, parts in zip(
            rows_of(bench.folder / "whole"), rows_of(bench.folder / "parts"), strict=True
        ):
            assert parts.pop("kind") == whole.pop("kind")
            assert parts == pytest.approx(whole, rel=1e-4)


class TestValidation:
    def test_masks_are_fixed(self, bench: Bench):
        run = bench.begin(tiny_run())
        assert run._validation_losses(run.model, run.validation) == run._validation_losses(
            run.model, run.validation
        )

    def test_every_clip_counts_once_whatever_the_batch(self, bench: Bench):
        """14 clips in batches of 4: reconstruction equals that in one batch of 14."""
        small = bench.begin(tiny_run(), name="small")
        large = bench.begin(tiny_run(loop={"batch_size": 14}), name="large")
        one, other = (run._validation_losses(run.model, run.validation) for run in (small, large))
        assert one["visual_reconstruction"] == pytest.approx(other["visual_reconstruction"], rel=1e-5)
        assert one["audio_reconstruction"] == pytest.approx(other["audio_reconstruction"], rel=1e-5)

    def test_best_weights_are_those_of_the_lowest_loss(self, bench: Bench):
        config = tiny_run(
            loop={"validate_every_steps": 1, "num_steps": 5},
            optim=OptimConfig(learning_rate=0.5, warmup_fraction=0.7),
        )
        run = bench.begin(config)
        run.run()
        totals = [row["total"] for row in rows_of(bench.folder / "run") if row["kind"] == "validation"]
        assert run.best_loss == min(totals)
        best = bench.begin(config, name="other").model
        best.load_state_dict(load_model(run.run_folder.best_weights).state_dict())
        again = bench.begin(config, name="third")
        again.model.load_state_dict(best.state_dict())
        assert again._validation_losses(again.model, again.validation)["total"] == pytest.approx(min(totals))

    def test_validation_masks_are_not_training_masks(self):
        assert Purpose.MASK != Purpose.VALIDATION_MASK


class TestRefused:
    def test_fewer_clips_than_a_batch(self, bench: Bench):
        with pytest.raises(
            TrainingError, match=r"14 training clips, a step needs loop\.batch_size=16"
        ) as caught:
            bench.begin(tiny_run(loop={"batch_size": 16}))
        assert "Set loop.batch_size=8 or less" in str(caught.value)

    def test_a_loss_that_is_not_finite_names_step_and_clips(self, bench: Bench):
        run = bench.begin(tiny_run())
        with torch.no_grad():
            run.model.decoder.mask_token.fill_(float("nan"))
        with pytest.raises(NonFiniteLossError, match=r"the loss is nan in step 1 .* with clips ") as caught:
            run.run()
        assert sum(clip_id in str(caught.value) for clip_id in bench.prepared.clip_ids) == 4

    def test_float16_that_overflows_whatever_the_scale(self, bench: Bench):
        """Skipped updates are normal; a run of nothing else is an error, not a success."""
        run = bench.begin(tiny_run(loop={"precision": "float16", "num_steps": 30, "log_every_steps": 1}))
        with torch.no_grad():
            run.model.decoder.predict_a.weight.fill_(3e4)
        run.updater.scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
        with pytest.raises(NonFiniteLossError, match="float16"):
            run.run()
        lines = run.run_folder.metrics.read_text().splitlines()
        rows = [json.loads(line, parse_constant=pytest.fail) for line in lines]
        assert [(row["gradient_norm"], row["loss_scale"]) for row in rows[:2]] == [(None, 2.0), (None, 1.0)]

    def test_a_folder_that_holds_a_run(self, complete_run: Path):
        with pytest.raises(TrainingError, match="already holds a run"):
            RunFolder.create(complete_run, tiny_run(), {})

    def test_a_folder_whose_run_failed_at_its_start_is_used_again(self, bench: Bench):
        failed = bench.begin(tiny_run()).run_folder
        again = failed.create(failed.path, tiny_run(loop={"num_steps": 3}), {})
        assert again.config().loop.num_steps == 3

    def test_a_damaged_checkpoint_is_named_and_deleting_it_helps(self, bench: Bench, complete_run: Path):
        shutil.copytree(complete_run, bench.folder / "run")
        older, newest = RunFolder(bench.folder / "run").checkpoints()
        whole, buffer = newest.read_bytes(), BytesIO()
        torch.save({"version": 0}, buffer)
        for damaged in (whole[:500], b"", buffer.getvalue()):
            newest.write_bytes(damaged)
            with pytest.raises(TrainingError, match=newest.name):
                bench.begin(tiny_run())
        newest.unlink()
        assert bench.begin(tiny_run()).step == int(older.stem.removeprefix("step_"))

    def test_no_run(self, bench: Bench):
        with pytest.raises(TrainingError, match="holds no run"):
            RunFolder.open(bench.folder)


def test_half_a_checkpoint_left_by_a_kill_is_not_read_and_goes_away(bench: Bench):
    bench.begin(tiny_run(), callbacks=stop_after(2)).run()
    half = bench.folder / "run" / "checkpoints" / "step_00000005.pt.0123.part"
    half.write_bytes(b"half")
    run = bench.begin(tiny_run())
    assert run.step == 2
    run.run()
    assert not half.exists()


def test_a_row_cut_off_by_a_kill_is_dropped(tmp_path: Path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"st')
    assert read_metrics(path) == [{"step": 1}, {"step": 2}]
    path.write_text('{"step": 1}\n{"st\n{"step": 3}\n')
    with pytest.raises(TrainingError, match=r"metrics\.jsonl, line 2, is damaged"):
        read_metrics(path)


def test_the_configuration_of_a_run_is_on_disk(bench: Bench):
    config: PretrainConfig = tiny_run(seed=3)
    assert bench.begin(config).run_folder.config() == config


class TestWeightedDrawing:
    """`loop.weights_file`: clips are drawn in proportion to numbers of a file."""

    def test_draws_the_heavy_clips(self, bench: Bench):
        weights = bench.folder / "train_weight.csv"
        weights.write_text("1000000\n" * 2 + "0.001\n" * 12)
        run = bench.begin(tiny_run(loop={"weights_file": str(weights)}))
        assert set(run.order.clips(0).tolist()) == {0, 1}
        assert run.run()

    def test_weights_of_another_list_are_refused(self, bench: Bench):
        weights = bench.folder / "train_weight.csv"
        weights.write_text("1\n" * 15)
        with pytest.raises(DatasetError, match="has 15 weights for 14 clips"):
            bench.begin(tiny_run(loop={"weights_file": str(weights)}))
