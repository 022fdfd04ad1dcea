"""The `key=value` words of a command line: some are for the command's configuration, others for the model.

A word belongs to the configuration that has its field. `model.` in front says that it is the model's.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from cavmae_sync.checks import Checks, did_you_mean
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.config import Config

C = TypeVar("C", bound="Config")

_MODEL: Final = "model."


def configure(base: C, words: Sequence[str], *, prefix: str = "") -> tuple[C, list[str]]:
    """A command's configuration with its words applied, and the words that are left for the model.

    Args:
        base: The configuration before.
        words: `key=value` words, for it and for the model.
        prefix: What may stand in front of its own words, for example "clips.".

    Raises:
        ConfigError: Neither it nor a model has a field of that name, or its value does not fit.
        SeveralError: Several words are wrong.
    """
    own = [word.removeprefix(prefix) for word in words if _is_own(word, base, prefix=prefix)]
    for_model = [word.removeprefix(_MODEL) for word in words if not _is_own(word, base, prefix=prefix)]
    checks = Checks()
    config = checks.collect(lambda: base.with_overrides(own))
    for word in for_model:
        checks.collect(lambda word=word: _check_of_model(word, base))
    checks.raise_errors()
    assert config is not None  # or the checks had raised
    return config, for_model


def model_words(words: Sequence[str]) -> list[str]:
    """The words of a command that has no configuration of its own: all are the model's."""
    return [word.removeprefix(_MODEL) for word in words]


def words_without_model(run_or_weights: Path | None, words: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Model and words of a command whose model may be left out: then the first word stands in its place."""
    if run_or_weights is None or "=" not in str(run_or_weights) or run_or_weights.exists():
        return run_or_weights, list(words)
    return None, [str(run_or_weights), *words]


def _is_own(word: str, base: "Config", *, prefix: str) -> bool:
    if word.startswith(_MODEL):
        return False
    return (bool(prefix) and word.startswith(prefix)) or _field(word) in type(base).model_fields


def _field(word: str) -> str:
    return word.partition("=")[0].partition(".")[0]


def _check_of_model(word: str, base: "Config") -> None:
    from cavmae_sync.model import ModelConfig

    if "=" not in word:
        raise ConfigError(f"{word!r} is neither an option nor a key=value word.")
    if _field(word) in ModelConfig.model_fields:
        return
    own, of_model = list(type(base).model_fields), list(ModelConfig.model_fields)
    raise ConfigError(
        f'There is no field "{_field(word)}". {did_you_mean(_field(word), [*own, *of_model])}'
        f"Fields of this command: {', '.join(own)}; of the model: {', '.join(of_model)}."
    )
