"""The ontology of AudioSet, `ontology.json`, as a list of classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cavmae_sync.data.lists.classes import ClassLabels, read_class_labels
from cavmae_sync.data.lists.rows import read_text
from cavmae_sync.data.spellings import nfc
from cavmae_sync.errors import DatasetError
from cavmae_sync.untrusted import parse_json


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sound:
    """One sound of the ontology, with the ids of its kinds."""

    mid: str
    name: str
    children: tuple[str, ...]


def read_ontology(path: Path) -> ClassLabels:
    """Read the ontology of AudioSet, with all its sounds as classes.

    Raises:
        DatasetError: It is missing or malformed (names the entry), a child does not exist, or it has a cycle.
    """
    try:
        parsed = parse_json(read_text(path))
    except ValueError as error:
        raise DatasetError(f"{path} is not JSON: {error}. Download it again.") from error
    if not isinstance(parsed, list) or not parsed:
        raise DatasetError(f"{path} must be a list of sounds. Give the ontology.json of AudioSet.")
    sounds: dict[str, _Sound] = {}
    for number, item in enumerate(parsed):
        sound = _sound(item, f"{path}, entry {number}")
        if sound.mid in sounds:
            raise DatasetError(f"{path}, entry {number}: {sound.mid} occurs twice.")
        sounds[sound.mid] = sound
    for sound in sounds.values():
        absent = [child for child in sound.children if child not in sounds]
        if absent:
            raise DatasetError(f"{path}: {sound.name} has the child {absent[0]}, which is not in the file.")
    _check_no_cycle(sounds, path)
    return ClassLabels(path=path, mids=tuple(sounds), names=tuple(sound.name for sound in sounds.values()))


def read_classes(path: Path) -> ClassLabels:
    """Read a class list, or an ontology with all its sounds as classes.

    Raises:
        DatasetError: It is missing or malformed.
    """
    if read_text(path).lstrip()[0] != "[":
        return read_class_labels(path)
    return read_ontology(path)


def _sound(item: Any, where: str) -> _Sound:
    if not isinstance(item, dict):
        raise DatasetError(f"{where} is not an object.")
    for key in ("id", "name"):
        if not isinstance(item.get(key), str) or not item[key]:
            raise DatasetError(f"{where}: {key!r} is {item.get(key)!r:.80}, but must be a text.")
    for key in ("child_ids", "restrictions"):
        if not isinstance(item.get(key), list) or not all(isinstance(entry, str) for entry in item[key]):
            raise DatasetError(f"{where}: {key!r} is {item.get(key)!r:.80}, but must be a list of texts.")
    return _Sound(
        mid=item["id"],
        name=nfc(item["name"]),
        children=tuple(item["child_ids"]),
    )


def _check_no_cycle(sounds: Mapping[str, _Sound], path: Path) -> None:
    """Remove sounds without parents again and again (Kahn's algorithm). What is left is a cycle."""
    num_parents = dict.fromkeys(sounds, 0)
    for sound in sounds.values():
        for child in sound.children:
            num_parents[child] += 1
    free = [mid for mid, count in num_parents.items() if count == 0]
    num_taken = 0
    while free:
        num_taken += 1
        for child in sounds[free.pop()].children:
            num_parents[child] -= 1
            if num_parents[child] == 0:
                free.append(child)
    if num_taken < len(sounds):
        left = [sounds[mid].name for mid, count in num_parents.items() if count > 0]
        raise DatasetError(f"{path}: these sounds are kinds of themselves, in a cycle: {left[:5]}.")
