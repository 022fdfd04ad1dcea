"""The numbers of the published runs, as the recipes hold them (docs/paper-vs-code.md)."""

from pathlib import Path

import pytest

from cavmae_sync.errors import ConfigError
from cavmae_sync.recipes.pretraining import RECIPES, find_recipe


@pytest.mark.parametrize(
    ("name", "batch_size", "learning_rate", "contrastive_weight", "negatives"),
    [
        ("sync_base", 512, 2e-4, 0.1, "shard:64"),
        ("cavmae_base", 48, 5e-5, 0.01, "shard:12"),
        ("cavmae_scale_plus", 120, 1e-4, 0.01, "shard:30"),
        ("cavmae_scale_plus_plus", 256, 2e-4, 0.01, "shard:64"),
        ("cavmae_scale_plus_plus_plus", 512, 2e-4, 0.1, "shard:64"),
    ],
)
def test_published_numbers(
    name: str, batch_size: int, learning_rate: float, contrastive_weight: float, negatives: str
):
    config = find_recipe(name)
    assert config.loop.batch_size == batch_size
    assert config.optim.learning_rate == learning_rate
    assert config.losses.contrastive_weight == contrastive_weight
    assert config.losses.contrast.negatives == negatives
    assert config.losses.reconstruction_weight == 1.0
    assert config.losses.contrast.temperature == 0.05
    assert config.losses.contrast.direction == "video_to_audio"


@pytest.mark.parametrize(
    ("name", "noise_amplitude", "rolls_time"),
    [
        ("sync_base", 0.0, False),
        ("cavmae_base", 0.1, True),
        ("cavmae_scale_plus", 0.1, True),
        ("cavmae_scale_plus_plus", 0.1, True),
        ("cavmae_scale_plus_plus_plus", 0.1, True),
    ],
)
def test_noise_and_rotation_of_the_published_scripts(name: str, noise_amplitude: float, rolls_time: bool):
    for config in (find_recipe(name), find_recipe(f"stage_{name}")):
        augment = config.augment
        assert (augment.noise_amplitude, augment.rolls_time) == (noise_amplitude, rolls_time)
        assert (augment.time_mask_length, augment.frequency_mask_bins, augment.mixup_probability) == (0, 0, 0)


def test_a_recipe_carries_its_own_name():
    for name in RECIPES:
        assert find_recipe(name).name == name


def test_an_unknown_recipe_is_answered_with_all_names():
    said = r"There is no recipe 'sync'. Did you mean 'sync_base'\? There are: cavmae_base, .*sync_base"
    with pytest.raises(ConfigError, match=said):
        find_recipe("sync")


def test_every_recipe_has_a_small_twin():
    for name in RECIPES:
        twin = find_recipe(f"stage_{name}")
        assert twin.name == f"stage_{name}"
        assert twin.model.width == 64, name


def test_the_configuration_of_a_run_is_a_recipe(tmp_path: Path):
    """Other names of the same kind are refused with what is wrong."""
    config = find_recipe("debug").with_overrides(["loop.num_steps=7"])
    (tmp_path / "config.json").write_text(config.model_dump_json())
    assert find_recipe(str(tmp_path / "config.json")) == config
    with pytest.raises(ConfigError, match="cannot be read"):
        find_recipe(str(tmp_path / "missing.json"))
    (tmp_path / "broken.json").write_text('{"learning_rat": 1}')
    with pytest.raises(ConfigError, match=r"broken\.json is not a configuration"):
        find_recipe(str(tmp_path / "broken.json"))
