"""Hints that follow the refusal of a command line."""

from collections.abc import Sequence
from pathlib import Path


def hint_at_dashes(words: Sequence[str]) -> str | None:
    """Hint at a file name that begins with `-`, and so was taken for an option.

    No option of ours has one `-` and a word, so that such a word is likely to be a name.

    Args:
        words: The command that was refused.

    Returns:
        A sentence, or None where no word is like that.
    """
    names = [word for word in words if _is_like_a_name(word)]
    if not names:
        return None
    return (
        f"{names[0]} begins with -, like an option. If it is a file or folder, write ./{names[0]}; as the "
        f"value of an option, --option=./{names[0]}"
    )


def _is_like_a_name(word: str) -> bool:
    if word.startswith("--"):
        return "=" not in word and bool(Path(word).suffix or Path(word).exists()) and word != "--"
    return word.startswith("-") and len(word) > len("-h")
