"""Overrides in words: `key.path=value`, checked as a whole, with the nearest field for a typo."""

from typing import Literal

import pytest
from pydantic import ValidationError

from cavmae_sync.config import Config
from cavmae_sync.errors import ConfigError


class Engine(Config):
    """A part."""

    power: int = 5
    """Help of power."""
    fuel: Literal["petrol", "diesel"] = "petrol"
    gears: tuple[float, float] | None = None


class Car(Config):
    """A whole."""

    name: str = "car"
    is_red: bool = False
    engine: Engine = Engine()


@pytest.mark.parametrize(
    ("word", "path", "expected"),
    [
        ("name=my car", "name", "my car"),
        ("name=a=b", "name", "a=b"),
        ("is_red=true", "is_red", True),
        ("engine.power=7", "engine.power", 7),
        ("engine.fuel=diesel", "engine.fuel", "diesel"),
        ("engine.gears=0.5,1e-3", "engine.gears", (0.5, 0.001)),
        ("engine.gears=none", "engine.gears", None),
    ],
)
def test_a_word_sets_a_field_by_its_type(word: str, path: str, expected: object):
    value: object = Car().with_overrides([word])
    for name in path.split("."):
        value = getattr(value, name)
    assert value == expected


def test_the_original_is_unchanged_and_later_words_win():
    car = Car()
    changed = car.with_overrides(["engine.power=1", "engine.power=2"])
    assert (car.engine.power, changed.engine.power) == (5, 2)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("power", "'power' is not an override. Write key.path=value"),
        ("engine.powr=1", 'There is no field "engine.powr". Did you mean "engine.power"?'),
        ("motor.power=1", 'There is no field "motor"'),
        ("name.first=1", "'name.first': name is a single value without parts."),
        ("zzz=1", "Fields there: name, is_red, engine."),
        ("engine=1", "'engine' is a group of fields. Set one of: engine.power, engine.fuel, engine.gears."),
        ("engine.power=fast", "engine.power: "),
        ("engine.fuel=coal", "engine.fuel: Input should be 'petrol' or 'diesel' (got 'coal')"),
        ("engine.gears=1", "engine.gears"),
        ("engine.gears=inf,1", "engine.gears.0: Input should be a finite number"),
    ],
)
def test_a_wrong_word_is_answered(word: str, says: str):
    with pytest.raises(ConfigError) as caught:
        Car().with_overrides([word])
    assert says in str(caught.value)


def test_unknown_fields_and_changes_are_refused():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Engine(powr=3)
    with pytest.raises(ValidationError, match="frozen"):
        Engine().power = 4


def test_the_docstring_of_a_field_is_its_help():
    assert Engine.model_fields["power"].description == "Help of power."


def test_names_of_words_can_be_checked_without_their_values():
    Car().check_fields(["engine.power=much"])
    with pytest.raises(ConfigError, match=r'There is no field "engine\.powr"\. Did you mean "engine\.power"'):
        Car().check_fields(["engine.powr=7"])
