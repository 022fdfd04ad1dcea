"""Numbers of steps that are read together: the same run, the same errors, and nothing written after one."""

import itertools

import pytest
import torch

from cavmae_sync.errors import NonFiniteLossError
from cavmae_sync.training import Callbacks, read_metrics
from cavmae_sync.training.step_rows import ROW_NAMES, StepRows, UnreadStep
from cavmae_sync.weights import load_model

from .conftest import Bench
from .tiny import tiny_run


def unread(step: int, *losses: float, norm: float = 1.0) -> UnreadStep:
    """A step of one part; the total loss is the first number."""
    row = torch.tensor([[*losses, *[0.0] * (len(ROW_NAMES) - 2 - len(losses))]])
    return UnreadStep(
        step=step,
        losses_KL=row,
        norm=torch.tensor(norm),
        learning_rate=0.1,
        clip_ids=[f"clip{step}-{k}" for k in range(10)],
    )


def test_steps_are_read_in_their_order_and_once():
    rows = StepRows(rank=0)
    for step in (1, 2):
        rows.add(unread(step, float(step), norm=10.0 * step))
    first, second = rows.read(loss_scale=None)
    assert (first.dtype, first[0].item(), second[0].item()) == (torch.float64, 1, 2)
    assert second.tolist()[-2:] == [0.1, 20]
    assert rows.read(loss_scale=None) == []


def test_losses_of_parts_are_averaged():
    rows, step = StepRows(rank=0), unread(1, 3.0)
    parts = UnreadStep(
        step=1,
        losses_KL=torch.cat([step.losses_KL, 3 * step.losses_KL]),
        norm=step.norm,
        learning_rate=0.1,
        clip_ids=[],
    )
    rows.add(parts)
    assert rows.read(loss_scale=None)[0][0] == 6


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (unread(4, float("nan")), "the loss is nan in step 4"),
        (unread(4, float("inf")), "the loss is inf in step 4"),
        (unread(4, 1.0, norm=float("inf")), "the norm of the gradients is inf in step 4"),
    ],
)
def test_the_first_step_that_is_not_finite_is_named_with_its_own_clips(bad: UnreadStep, says: str):
    rows = StepRows(rank=2)
    for step in (unread(3, 1.0), bad, unread(5, float("nan"))):
        rows.add(step)
    with pytest.raises(NonFiniteLossError) as caught:
        rows.read(loss_scale=None)
    text = str(caught.value)
    assert text.startswith(f"{says} (process 2), in a batch with clips clip4-0, ")
    assert "clip4-7 ..." in text
    assert "clip5" not in text


def test_in_float16_gradients_may_overflow_now_and_then():
    rows = StepRows(rank=0)
    rows.add(unread(1, 1.0, norm=float("inf")))
    assert rows.read(loss_scale=2.0)[0][-1] == float("inf")
    rows.add(unread(2, 1.0, norm=float("inf")))
    with pytest.raises(NonFiniteLossError, match=r"whatever the loss scale \(step 2\)"):
        rows.read(loss_scale=0.5)


class TestARunThatReadsEveryThreeSteps:
    @pytest.mark.parametrize("precision", ["float32", "float16"])
    def test_is_the_run_that_reads_each(self, bench: Bench, precision: str):
        for name, every in (("each", 1), ("third", 3)):
            loop = {"read_every_steps": every, "log_every_steps": 7, "precision": precision}
            bench.begin(tiny_run(loop=loop), name=name, validates=False).run()
        each, third = (bench.folder / name for name in ("each", "third"))
        for name, value in load_model(each / "weights.safetensors").state_dict().items():
            assert torch.equal(load_model(third / "weights.safetensors").state_dict()[name], value), name
        rows = [read_metrics(folder / "metrics.jsonl") for folder in (each, third)]
        assert [row["total"] for row in rows[0]] == [row["total"] for row in rows[1]]

    def test_tells_the_newest_loss_that_was_read(self, bench: Bench):
        losses: dict[int, list[float]] = {1: [], 3: []}
        for every, told in losses.items():
            loop = {"read_every_steps": every, "log_every_steps": 7, "validate_every_steps": 7}
            callbacks = Callbacks(on_step=lambda report, told=told: told.append(report.total_loss))
            bench.begin(tiny_run(loop=loop), name=str(every), validates=False, callbacks=callbacks).run()
        told = losses[1]
        assert losses[3] == [told[0], told[0], told[2], told[2], told[2], told[5], told[6]]

    def test_stops_after_the_next_step_that_is_read(self, bench: Bench):
        count = itertools.count(1)
        loop = {"read_every_steps": 3, "log_every_steps": 7, "validate_every_steps": 7}
        run = bench.begin(tiny_run(loop=loop), callbacks=Callbacks(should_stop=lambda: next(count) == 2))
        assert not run.run()
        assert (run.step, run.saved_step) == (3, 3)

    def test_names_the_step_that_was_not_finite_and_writes_nothing_after_it(self, bench: Bench):
        """A weight becomes NaN after step 4; step 5 meets it, and step 6 is the next to be read."""
        loop = {"read_every_steps": 3, "log_every_steps": 2, "checkpoint_every_steps": 6}
        loop |= {"validate_every_steps": 7}
        before: dict[str, torch.Tensor] = {}

        def spoil(report):
            if report.step == 4:
                before.update({name: value.clone() for name, value in run.model.state_dict().items()})
                with torch.no_grad():
                    run.model.decoder.mask_token.fill_(float("nan"))

        run = bench.begin(tiny_run(loop=loop), callbacks=Callbacks(on_step=spoil))
        with pytest.raises(NonFiniteLossError, match=r"the loss is nan in step 5 ") as caught:
            run.run()
        assert run.step == 6, "it was found later"
        epoch, place = divmod(4, run.steps_per_epoch)
        clips = run.order.clips(epoch)[place * 4 : place * 4 + 4]
        assert all(bench.prepared.clip_ids[clip] in str(caught.value) for clip in clips)
        assert [row["step"] for row in read_metrics(run.run_folder.metrics)] == [2, 4]
        assert run.run_folder.checkpoints() == []
        after = run.model.state_dict()
        changed = [name for name, value in before.items() if not torch.equal(after[name], value)]
        assert changed == ["decoder.mask_token"], "gradients that are not finite update nothing"
