"""The `key=value` words of a command line: where each belongs, and what --help says of them."""

import inspect
import re
from pathlib import Path

import pytest

from cavmae_sync.cli.commands.agreement import agreement
from cavmae_sync.cli.commands.classify import classify
from cavmae_sync.cli.commands.demo import demo
from cavmae_sync.cli.commands.embed import embed
from cavmae_sync.cli.commands.evaluate.agreement import agreement as evaluate_agreement
from cavmae_sync.cli.commands.evaluate.localize import localize as evaluate_localize
from cavmae_sync.cli.commands.evaluate.retrieval import retrieval
from cavmae_sync.cli.commands.evaluate.segment import segment as evaluate_segment
from cavmae_sync.cli.commands.localize import localize
from cavmae_sync.cli.commands.prepare import prepare
from cavmae_sync.cli.commands.reconstruct import reconstruct
from cavmae_sync.cli.commands.reproduce import reproduce
from cavmae_sync.cli.commands.segment import segment
from cavmae_sync.cli.commands.stage import stage
from cavmae_sync.cli.words import configure, model_words, words_without_model
from cavmae_sync.data import PrepareConfig
from cavmae_sync.embedding.library import LibraryConfig
from cavmae_sync.errors import ConfigError, SeveralError
from cavmae_sync.maps import MapConfig
from cavmae_sync.model import ModelConfig
from cavmae_sync.recipes.demo.config import DemoConfig
from cavmae_sync.recipes.tables.table_result import ReproduceConfig
from cavmae_sync.stage import StageConfig
from cavmae_sync.tasks.agreement.config import AgreementConfig, PlantedConfig
from cavmae_sync.tasks.classification.config import ProbeConfig
from cavmae_sync.tasks.localization.evaluate import LocalizationConfig
from cavmae_sync.tasks.reconstruction import HidingConfig
from cavmae_sync.tasks.retrieval import RetrievalConfig
from cavmae_sync.tasks.temporal.config import SegmentingConfig, TemporalTask

CONFIG_OF = {
    agreement: AgreementConfig(),
    classify: MapConfig(map="masking"),
    demo: DemoConfig(),
    embed: LibraryConfig(),
    evaluate_agreement: PlantedConfig(),
    evaluate_localize: LocalizationConfig(),
    evaluate_segment: TemporalTask(),
    localize: MapConfig(),
    prepare: PrepareConfig(),
    reconstruct: HidingConfig(),
    reproduce: ReproduceConfig(),
    retrieval: RetrievalConfig(),
    segment: SegmentingConfig(),
    stage: StageConfig(),
}


def test_a_word_belongs_to_the_configuration_that_has_its_field():
    words = ["smooth_seconds=2", "registers_in_joint=true", "model.inputs.alignment=valid"]
    config, for_model = configure(AgreementConfig(), words)
    assert config == AgreementConfig(smooth_seconds=2)
    assert for_model == ["registers_in_joint=true", "inputs.alignment=valid"]


def test_a_prefix_may_stand_in_front_of_own_words():
    for word in ("clips.store=float32", "store=float32"):
        assert configure(LibraryConfig(), [word], prefix="clips.") == (LibraryConfig(store="float32"), [])


def test_one_value_of_several_needs_no_comma():
    assert configure(SegmentingConfig(), ["modalities=audio"])[0].modalities == ("audio",)


@pytest.mark.parametrize("word", ["smoth_seconds=2", "registrs=4"])
def test_an_unknown_field_is_answered_with_the_nearest_and_all_fields(word: str):
    with pytest.raises(ConfigError, match=r"Did you mean .(smooth_seconds|registers).") as caught:
        configure(AgreementConfig(), [word])
    assert "Fields of this command: smooth_seconds, min_span_seconds" in str(caught.value)
    assert "of the model: inputs, width" in str(caught.value)


def test_all_wrong_words_are_reported_at_once():
    with pytest.raises(SeveralError) as caught:
        configure(AgreementConfig(), ["smooth_seconds=-1", "nothing=1", "second-video.mp4"])
    assert len(caught.value.errors) == 3


def test_words_may_stand_where_the_model_is_left_out(tmp_path: Path):
    assert words_without_model(Path("ties=mean"), ["seed=1"]) == (None, ["ties=mean", "seed=1"])
    run = tmp_path / "rate=0.1"
    run.mkdir()
    assert words_without_model(run, ["seed=1"]) == (run, ["seed=1"])
    assert model_words(["model.heads=4", "depth=2"]) == ["heads=4", "depth=2"]


def test_no_field_of_a_command_is_a_field_of_the_model():
    configs = [*CONFIG_OF.values(), ProbeConfig()]
    both = {
        type(each).__name__: set(type(each).model_fields) & set(ModelConfig.model_fields) for each in configs
    }
    assert not any(both.values()), both


@pytest.mark.parametrize(
    "command", CONFIG_OF, ids=lambda command: command.__module__.partition("commands.")[2]
)
def test_help_names_words_with_the_defaults_of_their_configuration(command):
    config = CONFIG_OF[command]
    text = inspect.cleandoc(command.__doc__)
    listed = text[text.index("with their defaults:") :].partition("Example:")[0]
    lines = [line for line in listed.splitlines() if line.startswith("- ")]
    words = [word for line in lines for word in re.findall(r"`([\w.]+=[^`]+)`", line.partition(": ")[0])]
    assert len(words) >= len(lines) > 0
    assert configure(config, words, prefix="clips.") == (config, [])
