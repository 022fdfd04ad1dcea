"""The contrastive loss against six lines of NumPy, and what must hold of it (spec 2.8, 7.8)."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cavmae_sync.losses import ContrastConfig, Gathered, contrastive, contrastive_loss

LOCAL = ContrastConfig(negatives="local")


def rows(num: int = 6, width: int = 5, seed: int = 0) -> torch.Tensor:
    return torch.randn(num, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slow_loss(audio: np.ndarray, visual: np.ndarray, temperature: float) -> float:
    """Given frame j, find its sound i: minus the mean log-softmax over sounds at the true one."""
    audio = audio / np.linalg.norm(audio, axis=1, keepdims=True)
    visual = visual / np.linalg.norm(visual, axis=1, keepdims=True)
    scores = audio @ visual.T / temperature
    log_softmax = scores - np.log(np.exp(scores).sum(axis=0, keepdims=True))
    return float(-np.mean(np.diag(log_softmax)))


@given(num=st.integers(1, 8), seed=st.integers(0, 50), temperature=st.sampled_from([0.05, 0.2, 1.0]))
def test_equals_numpy(num: int, seed: int, temperature: float):
    audio, visual = rows(num, seed=seed), rows(num, seed=seed + 100)
    config = ContrastConfig(negatives="local", temperature=temperature)
    found = contrastive_loss(audio, visual, config=config).loss.item()
    assert found == pytest.approx(slow_loss(audio.numpy(), visual.numpy(), temperature), abs=1e-9)


def test_both_directions_are_the_mean_of_each():
    audio, visual = rows(seed=1), rows(seed=2)
    config = ContrastConfig(negatives="local", direction="both")
    expected = (
        slow_loss(audio.numpy(), visual.numpy(), 0.05) + slow_loss(visual.numpy(), audio.numpy(), 0.05)
    ) / 2
    assert contrastive_loss(audio, visual, config=config).loss.item() == pytest.approx(expected)


def test_the_default_direction_is_not_symmetric():
    audio, visual = rows(seed=1), rows(seed=2)
    one_way = contrastive_loss(audio, visual, config=LOCAL).loss
    assert contrastive_loss(visual, audio, config=LOCAL).loss != one_way


@pytest.mark.parametrize("num", [2, 7, 64])
def test_identical_embeddings_cost_the_logarithm_of_the_batch(num: int):
    same = torch.ones(num, 4)
    assert contrastive_loss(same, same, config=LOCAL).loss.item() == pytest.approx(math.log(num))


def test_a_batch_of_one_costs_nothing():
    contrast = contrastive_loss(rows(1), rows(1, seed=1), config=LOCAL)
    assert contrast.loss.item() == 0
    assert contrast.accuracy.item() == 1


def test_length_does_not_matter():
    audio, visual = rows(seed=1), rows(seed=2)
    torch.testing.assert_close(
        contrastive_loss(audio * 1000, visual * 1e-3, config=LOCAL).loss,
        contrastive_loss(audio, visual, config=LOCAL).loss,
    )


class TestShards:
    def test_one_shard_of_the_whole_batch_is_the_local_loss(self):
        audio, visual = rows(seed=1), rows(seed=2)
        shard = contrastive_loss(audio, visual, config=ContrastConfig(negatives="shard:6"))
        local = contrastive_loss(audio, visual, config=LOCAL)
        assert torch.equal(shard.loss, local.loss)
        assert torch.equal(shard.accuracy, local.accuracy)

    def test_several_shards_are_the_mean_of_each(self):
        audio, visual = rows(seed=1), rows(seed=2)
        whole = contrastive_loss(audio, visual, config=ContrastConfig(negatives="shard:2"))
        parts = [contrastive_loss(audio[k : k + 2], visual[k : k + 2], config=LOCAL) for k in (0, 2, 4)]
        torch.testing.assert_close(whole.loss, sum(part.loss for part in parts) / 3)
        torch.testing.assert_close(whole.accuracy, sum(part.accuracy for part in parts) / 3)

    def test_they_must_divide_the_batch(self):
        with pytest.raises(ValueError, match="negatives='shard:4' must divide the batch of 6 pairs"):
            contrastive_loss(rows(), rows(), config=ContrastConfig(negatives="shard:4"))

    @pytest.mark.parametrize("wrong", ["shard:0", "shard", "shard:-2", "shard:2x", "all", ""])
    def test_unknown_negatives_are_refused(self, wrong: str):
        with pytest.raises(ValidationError, match='"shard:n" with n > 0, "local" or "global"'):
            ContrastConfig(negatives=wrong)


def test_accuracy_counts_frames_whose_nearest_sound_is_their_own():
    visual = torch.eye(4)
    audio = torch.eye(4)[[0, 1, 3, 2]]  # two are swapped
    assert contrastive_loss(audio, visual, config=LOCAL).accuracy.item() == 0.5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_compared_in_float32(dtype: torch.dtype):
    audio, visual = rows(seed=1).to(dtype), rows(seed=2).to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = contrastive_loss(audio, visual, config=LOCAL).loss
    assert loss.dtype == torch.float32
    expected = slow_loss(audio.double().numpy(), visual.double().numpy(), 0.05)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_rows_of_other_processes_are_further_candidates():
    """A gather that puts two rows of others in front: only `global` asks for it."""
    audio, visual, others = rows(3, seed=1), rows(3, seed=2), rows(2, seed=3)
    asked = []

    def gather(own: torch.Tensor) -> Gathered:
        asked.append(len(own))
        return Gathered(rows_GD=torch.cat([torch.nn.functional.normalize(others, dim=1), own]), offset=2)

    found = contrastive_loss(audio, visual, config=ContrastConfig(negatives="global"), gather=gather)
    sounds, frames = (torch.nn.functional.normalize(x, dim=1) for x in (torch.cat([others, audio]), visual))
    expected = torch.nn.functional.cross_entropy(frames @ sounds.T / 0.05, torch.tensor([2, 3, 4]))
    torch.testing.assert_close(found.loss, expected)
    assert asked == [3]
    contrastive_loss(audio, visual, config=LOCAL, gather=gather)
    assert asked == [3]


class TestInBlocks:
    """Where the table of similarities is large, it is computed in blocks of candidates."""

    @pytest.mark.parametrize("direction", ["video_to_audio", "both"])
    @pytest.mark.parametrize("num_gathered", [6, 7, 12, 20])
    def test_loss_gradients_and_accuracy_are_those_of_the_whole(
        self, direction: str, num_gathered: int, monkeypatch: pytest.MonkeyPatch
    ):
        """Blocks of even and uneven size, exact to rounding in float64."""
        config = ContrastConfig(negatives="global", direction=direction)
        found = []
        for limit in (1 << 24, 18):
            monkeypatch.setattr(contrastive, "_MAX_SIMILARITIES", limit)
            audio, visual = rows(6, seed=1).requires_grad_(), rows(6, seed=2).requires_grad_()

            def gather(own: torch.Tensor) -> Gathered:
                others = torch.randn(
                    num_gathered - 6,
                    *own.shape[1:],
                    generator=torch.Generator().manual_seed(3),
                    dtype=own.dtype,
                )
                split = len(others) // 2
                together = torch.cat([others[:split], own, others[split:]])
                return Gathered(rows_GD=together, offset=split)

            contrast = contrastive_loss(audio, visual, config=config, gather=gather)
            contrast.loss.backward()
            found.append([contrast.loss.detach(), contrast.accuracy, audio.grad, visual.grad])
        for whole, blocks in zip(*found, strict=True):
            torch.testing.assert_close(blocks, whole, rtol=1e-12, atol=1e-14)

    def test_no_large_table_is_kept_for_the_gradients(self, monkeypatch: pytest.MonkeyPatch):
        """What autograd saves is rows and sums, not P x G numbers."""
        monkeypatch.setattr(contrastive, "_MAX_SIMILARITIES", 18)
        sizes = []

        def seen(tensor: torch.Tensor) -> torch.Tensor:
            sizes.append(tensor.numel())
            return tensor

        audio, visual = rows(6, 3, seed=1).requires_grad_(), rows(6, 3, seed=2).requires_grad_()
        config = ContrastConfig(negatives="global")
        with torch.autograd.graph.saved_tensors_hooks(seen, lambda tensor: tensor):
            contrastive_loss(audio, visual, config=config, gather=lambda own: Gathered(rows_GD=own, offset=0))
        assert max(sizes) <= 18

    def test_one_gather_serves_both_directions(self):
        calls = []

        def gather(own: torch.Tensor) -> Gathered:
            calls.append(own.shape)
            return Gathered(rows_GD=own, offset=0)

        config = ContrastConfig(negatives="global", direction="both")
        contrastive_loss(rows(seed=1), rows(seed=2), config=config, gather=gather)
        assert calls == [(6, 2, 5)]


def cross_entropies(scores: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """For each row minus the log-softmax at the diagonal, over the columns that are allowed."""
    terms = np.where(allowed, np.exp(scores), 0)
    return np.log(terms.sum(axis=1)) - np.diag(scores)


class TestMomentsOfAClip:
    """Pairs 0 and 1 are moments of one clip, 2 and 3 of another, 4 and 5 of a third."""

    MOMENTS = 2

    def scores(self) -> np.ndarray:
        """Frames in rows, sounds in columns."""
        audio, visual = (torch.nn.functional.normalize(rows(seed=k), dim=1).numpy() for k in (1, 2))
        return visual @ audio.T / 0.05

    def loss(self, **config) -> float:
        settings = ContrastConfig(negatives="local", **config)
        audio, visual = rows(seed=1), rows(seed=2)
        return contrastive_loss(audio, visual, config=settings, moments_per_clip=self.MOMENTS).loss.item()

    def test_are_candidates_like_all_others_unless_left_out(self):
        assert self.loss() == contrastive_loss(rows(seed=1), rows(seed=2), config=LOCAL).loss.item()

    def test_left_out_are_no_candidates(self):
        clip = np.arange(6) // self.MOMENTS
        allowed = (clip[:, None] != clip) | np.eye(6, dtype=bool)
        expected = cross_entropies(self.scores(), allowed).mean()
        assert self.loss(same_clip="left_out") == pytest.approx(expected, rel=1e-9)
        back = cross_entropies(self.scores().T, allowed).mean()
        found = self.loss(same_clip="left_out", direction="both")
        assert found == pytest.approx((expected + back) / 2, rel=1e-9)

    def test_within_a_clip_its_moments_alone_are_candidates(self):
        clip = np.arange(6) // self.MOMENTS
        within = cross_entropies(self.scores(), clip[:, None] == clip).mean()
        assert self.loss(within_clip_weight=0.5) - self.loss() == pytest.approx(0.5 * within, rel=1e-9)
        back = cross_entropies(self.scores().T, clip[:, None] == clip).mean()
        both = self.loss(within_clip_weight=2, direction="both") - self.loss(direction="both")
        assert both == pytest.approx(within + back, rel=1e-9)

    def test_worked_by_hand(self):
        """One clip of two moments, unit vectors at right angles, temperature 1: log(1 + 1 / e) = 0.3133."""
        config = ContrastConfig(negatives="local", temperature=1, same_clip="left_out", within_clip_weight=1)
        found = contrastive_loss(torch.eye(2), torch.eye(2), config=config, moments_per_clip=2)
        # Nothing but the own sound is left among clips, which costs nothing.
        assert found.loss.item() == pytest.approx(math.log(1 + math.exp(-1)))

    def test_are_left_out_in_blocks_of_candidates_too(self, monkeypatch: pytest.MonkeyPatch):
        whole = self.loss(same_clip="left_out", direction="both")
        monkeypatch.setattr(contrastive, "_MAX_SIMILARITIES", 24)  # four candidates at once
        assert self.loss(same_clip="left_out", direction="both") == pytest.approx(whole, rel=1e-12)

    def test_of_other_processes_are_others(self):
        """Place 2 of a process that comes third is pair 6 of all: a clip of its own."""
        others = torch.nn.functional.normalize(rows(4, seed=3), dim=1)

        def gather(own: torch.Tensor) -> Gathered:
            return Gathered(rows_GD=torch.cat([others, own]), offset=4)

        config = ContrastConfig(negatives="global", same_clip="left_out")
        found = contrastive_loss(
            rows(2, seed=1), rows(2, seed=2), config=config, gather=gather, moments_per_clip=2
        )
        sounds = torch.cat([others, torch.nn.functional.normalize(rows(2, seed=1), dim=1)]).numpy()
        frames = torch.nn.functional.normalize(rows(2, seed=2), dim=1).numpy()
        scores = frames @ sounds.T / 0.05
        kept = np.array([[1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 0, 1]], dtype=bool)
        terms = np.where(kept, np.exp(scores), 0).sum(axis=1)
        expected = np.mean(np.log(terms) - scores[[0, 1], [4, 5]])
        assert found.loss.item() == pytest.approx(expected, rel=1e-9)

    def test_must_be_whole(self):
        with pytest.raises(ValueError, match="5 pairs are no clips of 2 moments"):
            contrastive_loss(rows(5), rows(5), config=LOCAL, moments_per_clip=2)


def test_a_learned_temperature_takes_the_place_of_the_fixed_one_and_has_a_gradient():
    temperature = torch.tensor([0.2], dtype=torch.float64, requires_grad=True)
    found = contrastive_loss(rows(seed=1), rows(seed=2), config=LOCAL, temperature=temperature).loss
    assert found.item() == pytest.approx(slow_loss(rows(seed=1).numpy(), rows(seed=2).numpy(), 0.2))
    found.backward()
    step = 1e-6
    up, down = (slow_loss(rows(seed=1).numpy(), rows(seed=2).numpy(), 0.2 + k * step) for k in (1, -1))
    assert temperature.grad is not None
    assert temperature.grad.item() == pytest.approx((up - down) / (2 * step), rel=1e-5)
