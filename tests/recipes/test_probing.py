"""Runs with names, number by number (spec 4.2, 4.4), and contradictions."""

import pytest

from cavmae_sync.errors import ConfigError
from cavmae_sync.recipes.probing import PROBE_RECIPES, find_probe_recipe
from cavmae_sync.tasks.classification.config import ProbeConfig
from cavmae_sync.training import learning_rate_at


def test_a_recipe_is_complete_and_carries_its_name():
    for name in PROBE_RECIPES:
        config = find_probe_recipe(name)
        assert config.name == name
        assert ProbeConfig.model_validate_json(config.model_dump_json()) == config


def test_probing_on_audioset():
    config = find_probe_recipe("probe_as20k")
    assert (config.backbone, config.head, config.features.depth) == ("cached", "transformer", "encoder")
    classifier = config.classifier
    assert (classifier.loss, classifier.num_epochs, classifier.batch_size) == ("bce", 25, 48)
    assert (classifier.label_smoothing, classifier.is_balanced) == (0.1, False)
    assert (classifier.averaging.first_epoch, classifier.averaging.last_epoch) == (13, 25)
    assert (config.optim.betas, config.optim.weight_decay) == ((0.95, 0.999), 5e-7)
    assert (config.optim.schedule, config.optim.warmup_fraction, config.optim.final_fraction) == (
        "cosine", 0.1, 0.1,
    )  # fmt: skip
    assert config.learning_rates == (1e-4, 1e-3, 1e-2)


def test_probing_on_vggsound():
    classifier = find_probe_recipe("probe_vggsound").classifier
    assert (classifier.loss, classifier.num_epochs, classifier.is_balanced) == ("ce", 10, True)
    assert (classifier.averaging.first_epoch, classifier.averaging.last_epoch) == (3, 10)


@pytest.mark.parametrize(
    ("name", "rate", "batch", "epochs", "factor", "first", "balanced", "averaged", "loss"),
    [
        ("finetune_as20k", 5e-5, 36, 15, 100, 5, False, (3, 15), "bce"),
        ("finetune_as2m", 1e-5, 48, 10, 50, 2, True, (1, 10), "bce"),
        ("finetune_vggsound", 1e-4, 48, 10, 10, 2, True, (3, 10), "ce"),
    ],
)
def test_fine_tuning(name, rate, batch, epochs, factor, first, balanced, averaged, loss):
    config = find_probe_recipe(name)
    classifier, augment = config.classifier, config.augment
    assert (config.backbone, config.learning_rates, config.optim.learning_rate) == ("trained", None, rate)
    assert (classifier.batch_size, classifier.num_epochs, classifier.head_rate_factor) == (
        batch, epochs, factor,
    )  # fmt: skip
    assert (classifier.is_balanced, classifier.loss, classifier.label_smoothing) == (balanced, loss, 0.1)
    assert (classifier.averaging.first_epoch, classifier.averaging.last_epoch) == averaged
    assert (augment.mixup_probability, augment.frequency_mask_bins, augment.time_mask_length) == (
        0.5, 48, 192,
    )  # fmt: skip
    assert (augment.noise_amplitude, augment.rolls_time) == (0.1, True)
    rates = [
        learning_rate_at(epoch * 7, config=config.optim, num_steps=7 * epochs, steps_per_epoch=7)
        for epoch in range(epochs)
    ]
    assert rates == [rate * 0.5 ** max(0, epoch - first + 1) for epoch in range(epochs)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["augment.mixup_probability=0.5"], "augment.mixup_probability=0.5 changes clips .* backbone=frozen"),
        (["learning_rates=none", "classifier.head_rate_factor=10"], "compares the head with a backbone"),
        (["features.depth=official"], "needs modalities=audio or visual"),
        (["clasifier.loss=ce"], 'Did you mean "classifier"'),
    ],
)
def test_contradictions_say_what_to_do(words, message):
    with pytest.raises(ConfigError, match=message):
        find_probe_recipe("probe_as20k").with_overrides(words)


def test_one_learning_rate_is_no_choice():
    with pytest.raises(ValueError, match="learning_rates=none"):
        ProbeConfig(learning_rates=(1e-3,))


def test_changes_are_allowed_where_features_are_computed_anew():
    words = ["backbone=frozen", "augment.mixup_probability=0.5", "augment.time_mask_length=192"]
    assert find_probe_recipe("probe_as20k").with_overrides(words).augment.time_mask_length == 192


def test_an_unknown_name_lists_all():
    with pytest.raises(ConfigError, match=r"no recipe 'probe'.*probe_as20k, probe_vggsound"):
        find_probe_recipe("probe")
