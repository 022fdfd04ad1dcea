"""The ontology: a small one by hand, with a sound of two parents; and cycles."""

import json
from pathlib import Path
from typing import Any

import pytest

from cavmae_sync.data.lists.ontology import read_classes, read_ontology
from cavmae_sync.errors import DatasetError


def node(mid: str, name: str, *children: str, restrictions: tuple[str, ...] = ()) -> dict[str, Any]:
    """As in the published file, with the fields that are not used."""
    return {
        "id": mid,
        "name": name,
        "description": "",
        "citation_uri": "",
        "positive_examples": [],
        "child_ids": list(children),
        "restrictions": list(restrictions),
    }


SMALL = [
    node("/m/0dgw9r", "Human sounds", "/m/09x0r", "/m/breath", restrictions=("abstract",)),
    node("/m/09x0r", "Speech", "/m/whisper"),
    node("/m/breath", "Breathing", "/m/whisper", restrictions=("blacklist",)),
    node("/m/whisper", "Whispering"),
    node("/m/04rlf", "Music"),
]


def write(folder: Path, content: Any) -> Path:
    path = folder / "ontology.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_all_sounds_are_classes(tmp_path: Path):
    ontology = read_ontology(write(tmp_path, SMALL))
    assert ontology.mids == ("/m/0dgw9r", "/m/09x0r", "/m/breath", "/m/whisper", "/m/04rlf")
    assert ontology.names == ("Human sounds", "Speech", "Breathing", "Whispering", "Music")


def test_an_ontology_or_a_class_list_gives_names_to_labels(tmp_path: Path):
    (tmp_path / "classes.csv").write_text("index,mid,display_name\n0,music,Music\n")
    assert read_classes(write(tmp_path, SMALL)).rename([("/m/04rlf",)], "name") == [("Music",)]
    assert read_classes(tmp_path / "classes.csv").rename([("music",)], "name") == [("Music",)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ({}, "must be a list of sounds"),
        ([], "must be a list of sounds"),
        ([3], "entry 0 is not an object"),
        ([{"id": "a"}], "entry 0: 'name' is None"),
        ([{"id": "a", "name": "b", "child_ids": [], "restrictions": None}], "'restrictions' is None"),
        ([node("a", "A"), node("a", "B")], "entry 1: a occurs twice"),
        ([node("a", "A", "z")], "A has the child z, which is not in the file"),
        ([node("a", "A", "a")], r"in a cycle: \['A'\]"),
        (
            [*SMALL, node("x", "X", "y"), node("y", "Y", "z"), node("z", "Z", "x")],
            r"in a cycle: \['X', 'Y', 'Z'\]",
        ),
    ],
)
def test_damaged_ontologies_are_refused(tmp_path: Path, content: Any, message: str):
    with pytest.raises(DatasetError, match=message):
        read_ontology(write(tmp_path, content))
