"""Every name of the packages has one kind at most."""

from collections import Counter

from cavmae_sync.stage.packages.kinds import _OBJECTS, HELD_BACK, kind_of


def test_no_name_is_of_two_kinds():
    names = [name for words in _OBJECTS.values() for group in words.split() for name in group.split("+")]
    assert {name: number for name, number in Counter(names).items() if number > 1} == {}


def test_what_is_the_same_thing_shares_a_name():
    assert kind_of("bull") == kind_of("cow_white") == ("grazing_animal", "cow+cow_white+bull+calf")
    assert kind_of("lark") == ("bird", "lark")
    assert kind_of("wyvern") is None


def test_four_kinds_are_held_back_and_enough_are_left_for_three_quartets():
    assert len(HELD_BACK) == 4
    assert set(_OBJECTS) > HELD_BACK
    assert len(_OBJECTS) - len(HELD_BACK) >= 11
