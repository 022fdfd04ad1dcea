"""Choice of the objects of a clip."""

from itertools import combinations

import pytest

from cavmae_sync.errors import DatasetError
from cavmae_sync.stage.casting import quartets


@pytest.mark.parametrize("num_classes", [8, 16, 24, 40])
def test_each_class_is_in_two_quartets_and_no_two_classes_are_in_the_same_two(num_classes: int) -> None:
    names = [f"class {number}" for number in range(num_classes)]
    groups = quartets(names)
    assert len(groups) == num_classes / 2
    assert all(len(set(group)) == 4 for group in groups)
    of_class = {name: frozenset(n for n, group in enumerate(groups) if name in group) for name in names}
    assert {len(found) for found in of_class.values()} == {2}
    # With eight classes there are four groups, and two of them share two classes.
    if num_classes >= 16:
        assert all(of_class[one] != of_class[other] for one, other in combinations(names, 2))


def test_quartets_of_other_numbers_are_filled_up() -> None:
    groups = quartets([f"class {number}" for number in range(10)])
    assert len(groups) == 6
    assert all(len(set(group)) == 4 for group in groups)
    assert len({name for group in groups for name in group}) == 10


def test_three_classes_are_too_few() -> None:
    with pytest.raises(DatasetError, match="variant=easy"):
        quartets(["a", "b", "c"])
