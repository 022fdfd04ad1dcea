"""A step in parts that compares its whole batch is the undivided step: losses and every gradient, float64.

Several processes: test_distributed.py, "global, accumulated".
"""

from typing import Any

import pytest
import torch

from cavmae_sync.data import Draw
from cavmae_sync.data.draws import Purpose
from cavmae_sync.losses import Contrast, ContrastConfig, LossConfig
from cavmae_sync.model import CAVMAESync, MaskingConfig
from cavmae_sync.training import MaskSampler, OptimConfig, PretrainStep
from cavmae_sync.training.gradient_cache import compare_parts
from cavmae_sync.training.optim import Updater

from .conftest import CPU, Bench
from .test_pretrain import rows_of
from .tiny import TINY_MODEL, tiny_run

NUM_PAIRS = 8
PARTS = [slice(start, start + 2) for start in range(0, NUM_PAIRS, 2)]


def step_of(
    losses: LossConfig, *, precision: str = "float32", dtype=torch.float64, **changes
) -> PretrainStep:
    model = CAVMAESync(TINY_MODEL.model_copy(update=changes), generator=torch.Generator().manual_seed(0)).to(
        dtype
    )
    return PretrainStep(model, losses, precision=precision, gather=CPU.gather)


def inputs(dtype=torch.float64, **masking: Any):
    generator = torch.Generator().manual_seed(1)
    segments = torch.randn(NUM_PAIRS, 32, 128, generator=generator, dtype=torch.float64).to(dtype)
    frames = torch.randn(NUM_PAIRS, 3, 32, 32, generator=generator, dtype=torch.float64).to(dtype)
    masking = {"ratio": 0.5} | masking
    masks = MaskSampler(TINY_MODEL, MaskingConfig(**masking), seed=0, purpose=Purpose.MASK)
    return segments, frames, masks.draw([Draw(0, k) for k in range(NUM_PAIRS)])


def backward(step: PretrainStep, batch, parts: list[slice], updater: Updater | None = None):
    """Mean losses of the parts, and all gradients."""
    segments, frames, masks = batch
    compares: list[Any] = [None]
    if len(parts) > 1:
        compares = compare_parts(
            lambda part: step.embed(segments[part], frames[part], masks.part(part)), step.compare, parts
        )
    rows = []
    for part, compare in zip(parts, compares, strict=True):
        losses = step(segments[part], frames[part], masks.part(part), compare)
        total = losses.total / len(parts)
        total.backward() if updater is None else updater.backward(total)
        rows.append(losses.row_L)
    gradients = {name: p.grad for name, p in step.model.named_parameters() if p.grad is not None}
    return torch.stack(rows).mean(dim=0), gradients


CONTRASTS = {
    "shards larger than a part": ContrastConfig(negatives="shard:4"),
    "local": ContrastConfig(negatives="local"),
    "global": ContrastConfig(negatives="global"),
    "both directions": ContrastConfig(negatives="local", direction="both"),
    "patch means": ContrastConfig(negatives="local", representation="patch_mean"),
    "both representations": ContrastConfig(negatives="global", direction="both", representation="both"),
}


def check_equal(losses: LossConfig, *, masking: dict[str, Any] | None = None, **changes: Any) -> None:
    batch = inputs(**(masking or {}))
    whole, gradients = backward(step_of(losses, **changes), batch, [slice(0, NUM_PAIRS)])
    found, of_parts = backward(step_of(losses, **changes), batch, PARTS)
    torch.testing.assert_close(found, whole, rtol=1e-9, atol=1e-12)
    assert of_parts.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(of_parts[name], gradient, rtol=1e-9, atol=1e-13, msg=name)


@pytest.mark.parametrize("name", CONTRASTS)
def test_parts_together_are_the_undivided_batch(name: str):
    check_equal(LossConfig(contrast=CONTRASTS[name], contrastive_weight=0.3))


@pytest.mark.parametrize("ratio", [0, 0.25])
def test_a_second_encoder_pass_is_cached_too(ratio: float):
    check_equal(LossConfig(contrast=CONTRASTS["both directions"]), masking={"contrastive_mask_ratio": ratio})


@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0)])
def test_with_one_loss_alone(weights: tuple[float, float]):
    check_equal(
        LossConfig(
            contrast=CONTRASTS["local"], contrastive_weight=weights[0], reconstruction_weight=weights[1]
        )
    )


def test_a_model_without_global_tokens():
    check_equal(LossConfig(contrast=CONTRASTS["local"]), global_token=False)


def test_without_the_first_pass_parts_compare_fewer_pairs():
    """The reason for all this: gradients of parts by themselves are others."""
    losses, batch = LossConfig(contrast=CONTRASTS["local"]), inputs()
    whole = backward(step_of(losses), batch, [slice(0, NUM_PAIRS)])[0]
    alone = [
        backward(step_of(losses), (*(v[p] for v in batch[:2]), batch[2].part(p)), [slice(0, 2)])[0]
        for p in PARTS
    ]
    assert torch.stack(alone).mean(dim=0)[1] < 0.7 * whole[1]


def test_what_a_part_sees_is_the_value_of_the_whole_with_a_gradient_of_its_own():
    """Loss: sum of the squares of two embeddings. Each part is asked for twice its own embedding."""
    rows = torch.tensor([[[[3.0], [4.0]]]], dtype=torch.float64, requires_grad=True)
    parts = compare_parts(
        lambda part: rows[:, :, part],
        lambda every: Contrast(loss=every.square().sum(), accuracy=torch.zeros(())),
        [slice(0, 1), slice(1, 2)],
    )
    seen = [part(rows[:, :, k : k + 1]) for k, part in enumerate(parts)]
    assert [contrast.loss.item() for contrast in seen] == [25, 25]
    (sum(contrast.loss for contrast in seen) / 2).backward()
    assert rows.grad.flatten().tolist() == [6, 8]


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_with_a_scaled_loss_in_half_precision(precision: str):
    losses = LossConfig(contrast=CONTRASTS["both directions"], contrastive_weight=1.0)
    gradients = []
    for parts in ([slice(0, NUM_PAIRS)], PARTS):
        step = step_of(losses, precision=precision, dtype=torch.float32)
        updater = Updater(step.model.parameters(), OptimConfig(), precision=precision)
        updater.scaler = torch.amp.GradScaler("cpu", init_scale=256.0, enabled=precision == "float16")
        backward(step, inputs(torch.float32), parts, updater)
        updater.scaler.unscale_(updater.optimizer)
        gradients.append(torch.cat([p.grad.flatten() for p in step.model.parameters()]))
    assert gradients[0].isfinite().all()
    assert torch.cosine_similarity(*gradients, dim=0) > 0.999
    assert gradients[1].norm() == pytest.approx(gradients[0].norm().item(), rel=0.02)


def test_a_run_in_parts_is_that_of_undivided_steps(bench: Bench):
    for name, accumulation in (("whole", 1), ("parts", 2)):
        config = tiny_run(negatives="local", loop={"accumulation": accumulation, "num_steps": 3})
        bench.begin(config, name=name, validates=False).run()
    for whole, parts in zip(rows_of(bench.folder / "whole"), rows_of(bench.folder / "parts"), strict=True):
        assert parts.pop("kind") == whole.pop("kind")
        assert parts == pytest.approx(whole, rel=1e-4)


def test_a_run_may_compare_each_part_by_itself(bench: Bench):
    loop = {"accumulation": 2, "num_steps": 2, "log_every_steps": 1}
    for over in ("batch", "part"):
        bench.begin(tiny_run(loop=loop | {"contrast_over": over}), name=over, validates=False).run()
    whole, parts = (rows_of(bench.folder / over)[0] for over in ("batch", "part"))
    assert parts["contrastive"] < whole["contrastive"]
    assert parts["visual_reconstruction"] == pytest.approx(whole["visual_reconstruction"])
