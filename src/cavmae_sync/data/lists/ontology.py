"""The ontology of AudioSet, `ontology.json`: names of sounds, and their kinds."""

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
class OntologyNode:
    """One sound of the ontology.

    Attributes:
        mid: Id, for example "/m/09x0r".
        name: Name, for example "Speech".
        children: Ids of the kinds of this sound.
        is_abstract: Whether it only groups others, and is never the label of a clip.
        is_blacklisted: Whether it was left out of AudioSet because it is hard to recognise.
    """

    mid: str
    name: str
    children: tuple[str, ...]
    is_abstract: bool
    is_blacklisted: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Ontology:
    """All sounds, as a graph without cycles: a sound may be a kind of several others.

    Attributes:
        path: File that it was read from.
        nodes: Sounds by their ids, in the order of the file.
    """

    path: Path
    nodes: Mapping[str, OntologyNode]

    @property
    def roots(self) -> tuple[str, ...]:
        """Ids of the sounds that are not a kind of another one."""
        children = {child for node in self.nodes.values() for child in node.children}
        return tuple(mid for mid in self.nodes if mid not in children)

    def name_of(self, label: str) -> str:
        """Name of a label; the label itself if it is not an id of the ontology."""
        node = self.nodes.get(label)
        return label if node is None else node.name

    def ancestors(self, mid: str) -> frozenset[str]:
        """Ids of all sounds that a sound is a kind of, directly or not.

        Raises:
            KeyError: There is no such sound.
        """
        parents: dict[str, set[str]] = {name: set() for name in self.nodes}
        for node in self.nodes.values():
            for child in node.children:
                parents[child].add(node.mid)
        found: set[str] = set()
        waiting = [mid]
        while waiting:
            new = parents[waiting.pop()] - found
            found |= new
            waiting.extend(new)
        return frozenset(found)


def read_ontology(path: Path) -> Ontology:
    """Read the ontology of AudioSet.

    Raises:
        DatasetError: It is missing or malformed (names the entry), a child does not exist, or it has a cycle.
    """
    try:
        parsed = parse_json(read_text(path))
    except ValueError as error:
        raise DatasetError(f"{path} is not JSON: {error}. Download it again.") from error
    if not isinstance(parsed, list) or not parsed:
        raise DatasetError(f"{path} must be a list of sounds. Give the ontology.json of AudioSet.")
    nodes: dict[str, OntologyNode] = {}
    for number, item in enumerate(parsed):
        node = _node(item, f"{path}, entry {number}")
        if node.mid in nodes:
            raise DatasetError(f"{path}, entry {number}: {node.mid} occurs twice.")
        nodes[node.mid] = node
    for node in nodes.values():
        absent = [child for child in node.children if child not in nodes]
        if absent:
            raise DatasetError(f"{path}: {node.name} has the child {absent[0]}, which is not in the file.")
    _check_no_cycle(nodes, path)
    return Ontology(path=path, nodes=nodes)


def read_classes(path: Path) -> ClassLabels:
    """Read a class list, or an ontology with all its sounds as classes.

    Raises:
        DatasetError: It is missing or malformed.
    """
    if read_text(path).lstrip()[0] != "[":
        return read_class_labels(path)
    nodes = read_ontology(path).nodes
    return ClassLabels(path=path, mids=tuple(nodes), names=tuple(node.name for node in nodes.values()))


def _node(item: Any, where: str) -> OntologyNode:
    if not isinstance(item, dict):
        raise DatasetError(f"{where} is not an object.")
    for key in ("id", "name"):
        if not isinstance(item.get(key), str) or not item[key]:
            raise DatasetError(f"{where}: {key!r} is {item.get(key)!r:.80}, but must be a text.")
    for key in ("child_ids", "restrictions"):
        if not isinstance(item.get(key), list) or not all(isinstance(entry, str) for entry in item[key]):
            raise DatasetError(f"{where}: {key!r} is {item.get(key)!r:.80}, but must be a list of texts.")
    return OntologyNode(
        mid=item["id"],
        name=nfc(item["name"]),
        children=tuple(item["child_ids"]),
        is_abstract="abstract" in item["restrictions"],
        is_blacklisted="blacklist" in item["restrictions"],
    )


def _check_no_cycle(nodes: Mapping[str, OntologyNode], path: Path) -> None:
    """Remove sounds without parents again and again (Kahn's algorithm). What is left is a cycle."""
    num_parents = dict.fromkeys(nodes, 0)
    for node in nodes.values():
        for child in node.children:
            num_parents[child] += 1
    free = [mid for mid, count in num_parents.items() if count == 0]
    num_taken = 0
    while free:
        num_taken += 1
        for child in nodes[free.pop()].children:
            num_parents[child] -= 1
            if num_parents[child] == 0:
                free.append(child)
    if num_taken < len(nodes):
        left = [nodes[mid].name for mid, count in num_parents.items() if count > 0]
        raise DatasetError(f"{path}: these sounds are kinds of themselves, in a cycle: {left[:5]}.")
