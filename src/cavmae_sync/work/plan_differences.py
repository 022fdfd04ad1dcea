"""Differences between a command and the one that began a folder, in words that say what to do.

A plan is what a later run must have in common with the first one to go on (`units.Work`).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

#: Fields that change with another one, and are not reported beside it.
_FOLLOWS_FROM: Final[Mapping[str, tuple[str, ...]]] = {
    "sources_sha256": ("num_files", "num_units"),
    "read": ("sources_sha256", "num_files", "num_units"),
    "schema_version": (),
}
_READERS: Final = {"read_video": "prepare", "read_cavmae_entry": "import-cavmae"}


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """One sentence for each difference; none where the plans are equal.

    Args:
        then: The plan that a folder was begun with.
        now: The plan of this command.
    """
    changed = [name for name in now if then.get(name) != now[name]]
    reported = [name for name in changed if not any(name in _FOLLOWS_FROM.get(each, ()) for each in changed)]
    return [sentence for name in reported for sentence in _field_differences(name, then, now)]


def _field_differences(name: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if name in _SENTENCES:
        yield _SENTENCES[name](then, now)
    else:
        is_group = name in ("config", "made_with") and isinstance(then.get(name), Mapping)
        yield from _parts("" if is_group else name, then.get(name), now[name])


def _parts(name: str, then: object, now: object) -> Iterator[str]:
    """One sentence for each value that differs, with its full name: `model.inputs.alignment`."""
    if not isinstance(then, Mapping) or not isinstance(now, Mapping):
        yield _values(name, then, now)
        return
    for part, value in now.items():
        if then.get(part) != value:
            yield from _parts(f"{name}.{part}" if name else part, then.get(part), value)


def _values(name: str, then: object, now: object) -> str:
    return f"it was made with {name}={_text(then)}, and now {name}={_text(now)} is asked for"


def _text(value: object) -> str:
    return value if isinstance(value, str) else "none" if value is None else json.dumps(value)


def _files(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    before, after = then.get("num_files"), now.get("num_files")
    counts = f"{before} then, {after} now" if before != after else f"{after}, as many as then"
    return f"the files have changed ({counts}): added, removed, renamed or another size"


def _labels(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    if then.get("labels_sha256") is None:
        return "labels are given now and were not then: leave out --labels"
    if now.get("labels_sha256") is None:
        return "labels were given then and are not now: give the same --labels again"
    return "the labels are different: give --labels, --split and --classes as then"


def _reader(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    before, after = (_READERS.get(str(plan.get("read")), str(plan.get("read"))) for plan in (then, now))
    return f"it was begun by {before}, not by {after}"


def _version(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    return (
        f"another version of cavmae-sync began it (format {then.get('schema_version')}, now "
        f"{now.get('schema_version')})"
    )


def _weights(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    before, after = (str(plan.get("weights"))[:12] for plan in (then, now))
    return f"the weights are different (fingerprint {before} then, {after} now)"


_SENTENCES: Final[Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], str]]] = {
    "sources_sha256": _files,
    "labels_sha256": _labels,
    "read": _reader,
    "schema_version": _version,
    "weights": _weights,
}
