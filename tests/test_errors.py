"""The tree of errors, as its module docstring draws it."""

import inspect
import re

import pytest

from cavmae_sync import errors

CLASSES = dict(inspect.getmembers(errors, inspect.isclass))
CLASSES.pop("ClassVar", None)


def test_the_docstring_draws_every_error_under_its_base():
    drawn = re.findall(r"^([│ ]*)(?:[├└]── )?(\w+Error)\b", errors.__doc__, flags=re.MULTILINE)
    bases: list[str] = []
    for indent, name in drawn:
        depth = 0 if name == "CavMaeSyncError" else 1 + len(indent) // 4
        bases[depth:] = [name]
        if depth:
            assert CLASSES[name].__bases__ == (CLASSES[bases[depth - 1]],)
    assert {name for _, name in drawn} == set(CLASSES)


@pytest.mark.parametrize("error", [e for e in CLASSES.values() if issubclass(e, errors.MediaError)])
def test_every_media_error_has_a_code_of_its_own(error: type[errors.MediaError]):
    assert "code" in vars(error)
    assert [e.code for e in CLASSES.values() if issubclass(e, errors.MediaError)].count(error.code) == 1
