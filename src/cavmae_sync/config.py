"""Configurations: frozen values that refuse unknown fields and can be overridden by words.

A configuration lies beside the component that it configures. `key.path=value` words are the only override.
"""

import difflib
import re
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from cavmae_sync.checks import Checks, did_you_mean
from cavmae_sync.errors import ConfigError

#: Most errors that one message lists, and most letters that it shows of a wrong value.
_MAX_SHOWN = 5
_MAX_LETTERS = 80


class Config(BaseModel):
    """Base of all configurations: frozen, unknown fields forbidden, the docstring of a field is its help."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        protected_namespaces=(),
        validate_default=True,
        allow_inf_nan=False,
    )

    def with_overrides(self, words: Iterable[str]) -> Self:
        """Copy with `key.path=value` words applied, validated as a whole.

        Args:
            words: For example `["model.registers=4", "optim.learning_rate=1e-3"]`. Values are parsed by
                the field's declared type; `none` means None, commas separate the parts of a list.

        Raises:
            ConfigError: A word has no `=`, names a field that does not exist (the nearest one is named),
                or its value does not fit the field.
            SeveralError: Several words are wrong.
        """
        tree = self._assigned(words)
        try:
            return type(self).model_validate(tree)
        except ValidationError as error:
            raise ConfigError(describe_invalid(error)) from error

    def check_fields(self, words: Iterable[str]) -> None:
        """Refuse words that name no field, whatever their values.

        Raises:
            ConfigError: As in `with_overrides`.
        """
        self._assigned(words)

    def _assigned(self, words: Iterable[str]) -> dict[str, Any]:
        tree, checks = self.model_dump(mode="json"), Checks()
        for word in words:
            checks.collect(lambda word=word: _override(tree, self, word))
        checks.raise_errors()
        return tree


def override_words(base: BaseModel, wanted: BaseModel, *, path: str = "") -> list[str]:
    """The `key.path=value` words that turn one configuration into another of its kind.

    >>> class Loop(Config):
    ...     num_steps: int = 3
    ...     rates: tuple[float, ...] | None = None
    >>> override_words(Loop(), Loop(num_steps=5, rates=(0.5, 1)))
    ['num_steps=5', 'rates=0.5,1.0']
    """
    words: list[str] = []
    for name in type(wanted).model_fields:
        old, new = getattr(base, name), getattr(wanted, name)
        if old == new:
            continue
        if isinstance(old, BaseModel) and isinstance(new, BaseModel):
            words += override_words(old, new, path=f"{path}{name}.")
        else:
            words.append(f"{path}{name}={_text(wanted.model_dump(mode='json')[name])}")
    return words


def _text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return "none" if value is None else str(value)


def _override(tree: dict[str, Any], config: BaseModel, word: str) -> None:
    path, separator, text = word.partition("=")
    if not separator:
        raise ConfigError(f"{word!r} is not an override. Write key.path=value, for example seed=1.")
    _assign(tree, config, path, text)


def _value(text: str, field: FieldInfo) -> str | list[str] | None:
    if text.lower() == "none" and type(None) in get_args(field.annotation):
        return None
    return text.split(",") if "," in text or _is_tuple(field.annotation) else text


def _is_tuple(annotation: Any) -> bool:
    return get_origin(annotation) is tuple or any(map(_is_tuple, get_args(annotation)))


def _assign(tree: dict[str, Any], config: BaseModel, path: str, text: str) -> None:
    *parents, leaf = path.split(".")
    for depth, name in enumerate(parents):
        if name not in type(config).model_fields:
            raise _unknown(config, name, ".".join(parents[:depth]))
        child = getattr(config, name)
        if not isinstance(child, BaseModel):
            raise ConfigError(f"{path!r}: {'.'.join(parents[: depth + 1])} is a single value without parts.")
        tree, config = tree[name], child
    if leaf not in type(config).model_fields:
        raise _unknown(config, leaf, ".".join(parents))
    if isinstance(getattr(config, leaf), BaseModel):
        raise ConfigError(f"{path!r} is a group of fields. Set one of: {_fields(config, leaf, path)}.")
    tree[leaf] = _value(text, type(config).model_fields[leaf])


def _fields(config: BaseModel, name: str, path: str) -> str:
    return ", ".join(f"{path}.{field}" for field in type(getattr(config, name)).model_fields)


def _unknown(config: BaseModel, name: str, where: str) -> ConfigError:
    names = list(type(config).model_fields)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    prefix = f"{where}." if where else ""
    hint = f'Did you mean "{prefix}{near[0]}"?' if near else f"Fields there: {', '.join(names)}."
    return ConfigError(f'There is no field "{prefix}{name}". {hint}')


def describe_invalid(error: ValidationError) -> str:
    """Errors of a validation in one line, with their fields; of many the first few."""
    found = error.errors(include_url=False)
    lines = [_invalid_text(item) for item in found[:_MAX_SHOWN]]
    if len(found) > _MAX_SHOWN:
        lines.append(f"and {len(found) - _MAX_SHOWN} more")
    return "; ".join(lines)


class _Short(reprlib.Repr):
    """Short text of a value, however large or deep it is."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = _MAX_LETTERS


def _invalid_text(item: Mapping[str, Any]) -> str:
    message = item["msg"].removeprefix("Value error, ")
    if not item["loc"]:
        return message
    if item["type"] == "literal_error":
        choices = re.findall(r"'([^']*)'", item["ctx"]["expected"])
        hint = did_you_mean(str(item["input"]), choices)
        message += f". {hint.rstrip()}" if hint else ""
    place = ".".join(str(part)[:_MAX_LETTERS] for part in item["loc"])
    return f"{place}: {message}" + (
        "" if item["type"] == "missing" else f" (got {_Short().repr(item['input'])})"
    )
