"""Several errors at once, and the word that was meant."""

import pytest

from cavmae_sync.checks import Checks, did_you_mean, first_names, unknown_name
from cavmae_sync.config import Config
from cavmae_sync.data.lists.classes import ClassLabels
from cavmae_sync.errors import CavMaeSyncError, ConfigError, DatasetError, SeveralError
from cavmae_sync.recipes.pretraining import find_recipe
from cavmae_sync.recipes.probing import find_probe_recipe
from cavmae_sync.recipes.tables.paper_tables import find_table


def refuse(error: Exception):
    def check() -> None:
        raise error

    return check


def test_all_that_is_wrong_is_told_together():
    checks = Checks()
    assert checks.collect(lambda: 7) == 7
    assert checks.collect(refuse(ConfigError("a"))) is None
    checks.collect(refuse(FileNotFoundError("b")))
    checks.collect(refuse(SeveralError([DatasetError("c"), DatasetError("d")])))
    with pytest.raises(SeveralError) as found:
        checks.raise_errors()
    assert [str(each) for each in found.value.errors] == ["a", "b", "c", "d"]


def test_one_error_stays_what_it_is():
    checks = Checks()
    checks.collect(refuse(DatasetError("only")))
    with pytest.raises(DatasetError, match="only"):
        checks.raise_errors()
    checks.collect(refuse(ConfigError("only")))  # twice the same is one
    with pytest.raises(ConfigError, match="only"):
        checks.raise_errors()
    Checks().raise_errors()


def test_a_mistake_of_a_programmer_is_not_kept():
    with pytest.raises(ZeroDivisionError):
        Checks().collect(lambda: 1 / 0)


@pytest.mark.parametrize(
    ("find", "word", "meant"),
    [
        (find_recipe, "sync_bsae", "sync_base"),
        (find_recipe, "stage_sync_bsae", "stage_sync_base"),
        (find_recipe, "Sync_Base", "sync_base"),
        (find_table, "tabel8", "table8"),
        (find_table, "table 8", "table8"),
        (lambda word: find_table("table7", rows=[word]), "whithout", "without"),
        (find_probe_recipe, "probe_as2k", "probe_as20k"),
    ],
)
def test_names_that_were_meant(find, word: str, meant: str):
    with pytest.raises(ConfigError, match=f"Did you mean '{meant}'"):
        find(word)


def test_a_label_that_was_meant(tmp_path):
    classes = ClassLabels(path=tmp_path, mids=("m0",), names=("dog barking",))
    with pytest.raises(DatasetError, match="Did you mean 'dog barking'"):
        classes.rename([("dog barkng",)], "name")


def test_nothing_is_guessed_where_nothing_is_near():
    assert did_you_mean("zebra", ["table1", "table2"]) == ""
    assert unknown_name("table", "zebra", ["table1"]) == "There is no table 'zebra'. There are: table1."


class Engine(Config):
    fuel: str = "x"
    power: int = 1


def test_every_wrong_word_of_a_configuration_is_told():
    with pytest.raises(CavMaeSyncError) as found:
        Engine().with_overrides(["fule=y", "powr=2", "power"])
    assert isinstance(found.value, SeveralError)
    assert [str(each).split(" ")[0] for each in found.value.errors] == ["There", "There", "'power'"]


def test_the_first_of_many_names_stand_for_all():
    assert first_names(("a", "b")) == "a, b"
    assert first_names("abcd", most=2) == "a, b and 2 more"
