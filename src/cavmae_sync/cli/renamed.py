"""Old names of commands and options: they work as before for one release, and say what they are called now.

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

#: Old options of each command (by its name of today), and what they are called now.
_OPTIONS: Final[dict[str, dict[str, str]]] = {
    "agreement": _FIGURE,
    "classify": _FIGURE,
    "evaluate agreement": _FIGURE,
    "evaluate localize": _FIGURE,
    "evaluate retrieval": _FIGURE,
    "evaluate segment": _FIGURE,
    "localize": {"--pictures": "--figures", "--num-pictures": "--num-figures"},
    "reconstruct": _FIGURE,
    "segment": _FIGURE,
}


def renamed(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of a command line with the names of today, and a line of advice for each old name.

    >>> renamed(["evaluate", "temporal", "my-run", "--picture=bars.png"])[0]
    ['evaluate', 'segment', 'my-run', '--figure=bars.png']

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
            advice.append(_advice(" ".join(old_name), " ".join(new_name)))
    name = next((each for each in _OPTIONS if new[: len(each.split())] == each.split()), None)
    options = {} if name is None else _OPTIONS[name]
    for place, word in enumerate(new):
        if word == "--":  # what follows are names of files
            break
        option, equals, value = word.partition("=")
        if option in options:
            new[place] = options[option] + equals + value
            advice.append(_advice(option, options[option]))
    return new, advice


def _advice(old: str, new: str) -> str:
    return f"{old} is now called {new}; the old name goes with version {_GOES_WITH}."
