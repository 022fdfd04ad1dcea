"""Mixup: the distribution of its weight, and mixtures worked by hand."""

import pytest
import torch

from cavmae_sync.inputs.mixup import mix_frames, mix_labels, mix_waveforms, mixup_weight


def test_weights_follow_beta_10_10(generator):
    weights = torch.tensor([mixup_weight(generator=generator) for _ in range(5000)], dtype=torch.float64)
    variance = 100 / (20**2 * 21)
    assert weights.mean() == pytest.approx(0.5, abs=4 * (variance / 5000) ** 0.5)
    assert weights.var() == pytest.approx(variance, rel=0.1)
    exact = torch.distributions.Beta(torch.tensor(10.0), torch.tensor(10.0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        reference = exact.sample((20_000,)).double()
    quantiles = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    assert weights.quantile(quantiles) == pytest.approx(reference.quantile(quantiles), abs=0.015)


def test_alpha_1_is_uniform(generator):
    weights = torch.tensor([mixup_weight(generator=generator, alpha=1) for _ in range(4000)])
    assert weights.histc(bins=4, min=0, max=1) == pytest.approx(1000, abs=120)


def test_alpha_must_be_a_whole_positive_number(generator):
    with pytest.raises(ValueError, match="got 0"):
        mixup_weight(generator=generator, alpha=0)


def test_sounds_are_mixed_without_their_offsets_worked_by_hand():
    first = torch.tensor([1.0, 3.0, 1.0, 3.0])  # minus 2: -1 1 -1 1
    second = torch.tensor([5.0, 5.0, 8.0, 8.0, 4.0])  # minus 6: -1 -1 2 2, then cut
    mixed = mix_waveforms(first, second, weight=0.5)  # -1 0 .5 1.5, minus its mean .25
    assert mixed == pytest.approx([-1.25, -0.25, 0.25, 1.25])


def test_a_shorter_second_sound_is_followed_by_silence():
    first = torch.tensor([1.0, -1.0, 1.0, -1.0])
    mixed = mix_waveforms(first, torch.tensor([2.0, -2.0]), weight=0.25)
    assert mixed == pytest.approx([1.75, -1.75, 0.25, -0.25])


def test_weight_1_is_the_first_sound():
    first = torch.tensor([0.1, -0.3, 0.2])
    assert mix_waveforms(first, torch.ones(7), weight=1.0) == pytest.approx(first)


def test_frames_are_mixed_by_the_same_weight():
    mixed = mix_frames(torch.full((3, 2, 2), 1.0), torch.full((3, 2, 2), -1.0), weight=0.75)
    assert mixed == pytest.approx(0.5)
    with pytest.raises(TypeError, match="uint8"):
        mix_frames(torch.zeros(3, dtype=torch.uint8), torch.zeros(3, dtype=torch.uint8), weight=0.5)


def test_labels_worked_by_hand():
    first, second = torch.tensor([1, 0, 0, 1]), torch.tensor([0, 1, 0, 1])
    mixed = mix_labels(first, second, weight=0.75, smoothing=0.1)
    assert mixed == pytest.approx([0.025 + 0.675, 0.025 + 0.225, 0.025, 0.025 + 0.9])


def test_one_class_each_sums_to_one():
    first, second = torch.eye(10)[3], torch.eye(10)[8]
    assert mix_labels(first, second, weight=0.37, smoothing=0.1).sum() == pytest.approx(1.0)
