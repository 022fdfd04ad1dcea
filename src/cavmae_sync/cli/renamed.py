"""Old names of commands, options and fields: they work for one release, and say what they are called now.

The words of a command line are brought up to date before they are parsed, so that no command and no --help
knows an old name.
"""

from collections.abc import Sequence
from typing import Final

#: The version without the old names.
_GOES_WITH: Final = "0.2"

#: Old commands, and what they are called now.
_COMMANDS: Final = {
    ("evaluate", "segmentation"): ("evaluate", "localize"),
    ("evaluate", "temporal"): ("evaluate", "segment"),
}

_FIGURE: Final = {"--picture": "--figure"}

#: Old options of each command (by its name of today), and what they are called now: an option, or, where the
#: new name ends with "=", a key=value word. A value of its own stands with its option.
_OPTIONS: Final[dict[str, dict[str, str]]] = {
    "agreement": {
        **_FIGURE,
        "--smooth-seconds": "smooth_seconds=",
        "--min-span-seconds": "min_span_seconds=",
        "--silent-below-dbfs": "silent_below_dbfs=",
        "--error-rate": "error_rate=",
        "--max-lag-seconds": "max_lag_seconds=",
    },
    "classify": _FIGURE,
    "demo": {"--minutes": "minutes=", "--seed": "seed="},
    "evaluate agreement": {
        **_FIGURE,
        "--num-videos": "num_videos=",
        "--clips-per-video": "clips_per_video=",
        "--seed": "seed=",
    },
    "evaluate localize": {**_FIGURE, "--rule": "map="},
    "evaluate retrieval": {
        **_FIGURE,
        "--aggregation all": "--all-aggregations",
        "--aggregation": "aggregation=",
        "--ties": "ties=",
    },
    "evaluate segment": {
        **_FIGURE,
        "--modality all": "--all-modalities",
        "--modality": "modality=",
        "--truth": "truth=",
        "--max-states": "max_states=",
        "--seed": "seed=",
    },
    "localize": {"--pictures": "--figures", "--num-pictures": "--num-figures"},
    "prepare": {"--min-seconds": "min_seconds="},
    "reconstruct": {
        **_FIGURE,
        "--mask-ratio": "mask_ratio=",
        "--mode": "mode=",
        "--hide": "hide=",
        "--seed": "seed=",
    },
    "reproduce": {"--scale": "scale="},
    "segment": {
        **_FIGURE,
        "--modality all": "modalities=audio,visual,both",
        "--modality": "modalities=",
        "--scope": "scope=",
        "--max-states": "max_states=",
        "--least-distance": "least_distance=",
        "--min-seconds": "min_seconds=",
        "--num-frames": "num_frames=",
        "--seed": "seed=",
    },
    "stage": {"--split": "split=", "--seed": "seed="},
}

#: Old fields of configurations in `key.path=value` words, and what they are called now.
_FIELDS: Final = {"align_length": "alignment"}


def renamed(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of a command line with the names of today, and a line of advice for each old name.

    >>> renamed(["evaluate", "temporal", "my-run", "--picture=bars.png", "--seed", "1"])[0]
    ['evaluate', 'segment', 'my-run', '--figure=bars.png', 'seed=1']

    Args:
        words: The command, without `cavmae-sync`.
    """
    new = list(words)
    advice: list[str] = []
    if new[:1] == ["submit"] and "--" in new:
        start = new.index("--") + 1
        command, advice = renamed(new[start:])
        return new[:start] + command, advice
    for old_name, new_name in _COMMANDS.items():
        if tuple(new[: len(old_name)]) == old_name:
            new[: len(old_name)] = new_name
            advice.append(_advice("called", " ".join(old_name), " ".join(new_name)))
    new, of_fields = _rename_fields(new)
    advice += of_fields
    name = next((each for each in _OPTIONS if new[: len(each.split())] == each.split()), None)
    if name is None:
        return new, advice
    new, more = _rename_options(new, _OPTIONS[name])
    return new, advice + more


def _rename_fields(words: list[str]) -> tuple[list[str], list[str]]:
    """The same for fields: `model.inputs.align_length=valid` becomes `model.inputs.alignment=valid`."""
    new: list[str] = []
    advice: list[str] = []
    for word in words:
        path, equals, value = word.partition("=")
        parent, dot, field = path.rpartition(".")
        if not equals or field not in _FIELDS:
            new.append(word)
            continue
        name = f"{parent}{dot}{_FIELDS[field]}"
        new.append(f"{name}={value}")
        advice.append(_advice("called", path, name))
    return new, advice


def _rename_options(words: list[str], options: dict[str, str]) -> tuple[list[str], list[str]]:
    """The same for options. A key=value word goes to the end: in front it would be taken for the video."""
    kept: list[str] = []
    at_end: list[str] = []
    advice: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":  # what follows are names of files
            kept += [word, *rest]
            break
        typed, equals, value = word.partition("=")
        old = typed.replace("_", "-")
        if old not in options:
            kept.append(word)
            continue
        new = options[old]
        if new.startswith("--"):
            kept.append(new + equals + value)
            advice.append(_advice("called", old, new))
            continue
        value = value if equals else next(rest, "")
        new = options.get(f"{old} {value}", new + value)
        (kept if new.startswith("--") else at_end).append(new)
        advice.append(_advice("written", f"{old} {value}", new))
    return kept + at_end, advice


def _advice(verb: str, old: str, new: str) -> str:
    return f"{old} is now {verb} {new}; the old name goes with version {_GOES_WITH}."
