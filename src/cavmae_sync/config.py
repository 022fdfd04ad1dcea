"""What every configuration is: a frozen value that refuses unknown fields, and can be overridden by words.

A config stands beside the component it configures. `key.path=value` words are the only override.
"""

import difflib
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from cavmae_sync.errors import ConfigError

#: Faults that one message tells of, and letters of a value that is wrong.
_MOST_SHOWN = 5
_MOST_LETTERS = 80


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
        """A copy with `key.path=value` words applied, validated as a whole.

        Args:
            words: For example `["model.registers=4", "optim.learning_rate=1e-3"]`. Values are parsed by
                the field's declared type; `none` means None, commas separate the parts of a list.

        Raises:
            ConfigError: A word has no `=`, names a field that does not exist (the nearest one is named),
                or its value does not fit the field.
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
        tree = self.model_dump(mode="json")
        for word in words:
            path, separator, text = word.partition("=")
            if not separator:
                raise ConfigError(f"{word!r} is not an override. Write key.path=value, for example seed=1.")
            _assign(tree, self, path, text)
        return tree


def _value(text: str, field: FieldInfo) -> str | list[str] | None:
    if text.lower() == "none" and type(None) in get_args(field.annotation):
        return None
    return text.split(",") if "," in text else text


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
    """What is wrong with which field, in one line; of many faults the first few."""
    found = error.errors(include_url=False)
    said = [_fault(item) for item in found[:_MOST_SHOWN]]
    if len(found) > _MOST_SHOWN:
        said.append(f"and {len(found) - _MOST_SHOWN} more")
    return "; ".join(said)


class _Short(reprlib.Repr):
    """A value in a few words, however large or deep it is."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = _MOST_LETTERS


def _fault(item: Mapping[str, Any]) -> str:
    says = item["msg"].removeprefix("Value error, ")
    if not item["loc"]:
        return says
    place = ".".join(str(part)[:_MOST_LETTERS] for part in item["loc"])
    return f"{place}: {says}" + (
        "" if item["type"] == "missing" else f" (got {_Short().repr(item['input'])})"
    )
