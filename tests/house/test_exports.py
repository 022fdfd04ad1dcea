"""The public names: few, sorted, documented."""

import inspect

import pytest

import cavmae_sync

NAMES = getattr(cavmae_sync, "__all__", [])


def test_there_are_few_and_they_are_sorted():
    assert 0 < len(NAMES) <= 20
    assert sorted(NAMES) == list(NAMES)
    assert len(set(NAMES)) == len(NAMES)


def test_every_public_name_exists_and_is_documented():
    assert [name for name in NAMES if not inspect.getdoc(getattr(cavmae_sync, name))] == []


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = cavmae_sync.nonsense


def test_they_are_found_by_completion():
    assert set(NAMES) <= set(dir(cavmae_sync))
