"""Text that strangers chose, made safe to print: names of files, clips, labels and tensors.

A name may hold line breaks, escape sequences that steer a terminal, and marks that turn the direction of the
text after them. Everything that is printed passes through here: `cli/terminal.py` does it for all commands.
"""

import unicodedata
from collections.abc import Iterable
from typing import Final

from rich.text import Text

#: Control characters, invisible marks (direction, byte order), halves of characters (bytes of a file name
#: that are no text), and the line and paragraph separators.
_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
#: Joiners, which Persian, Indian scripts and emoji need. They do no harm.
_JOINERS: Final = "\u200c\u200d"
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escape_line(text: str) -> str:
    r"""Text whose invisible characters are escaped: they become `\n`, `\u001b` and so on, as in JSON.

    >>> print(escape_line("clip\nerror: \x1b[31mforged.mp4"))
    clip\nerror: \u001b[31mforged.mp4
    """
    if text.isprintable():
        return text
    return "".join(_escaped(letter) if _is_unsafe(letter) else letter for letter in text)


def escape_lines(text: str) -> str:
    """`escape_line` for each line of a text that we broke ourselves. JSON keeps its meaning."""
    return "\n".join(map(escape_line, text.split("\n")))


def cell_text(text: str) -> Text:
    """Cell of a table of rich: one line, in which rich finds no markup."""
    return Text(escape_line(text))


def table_title(*lines: str) -> Text:
    """Title of a table of rich, line by line."""
    return Text("\n".join(map(escape_line, lines)), style="table.title")


def table_caption(lines: Iterable[str]) -> Text:
    """Caption below a table of rich, line by line."""
    return Text("\n".join(map(escape_line, lines)), style="table.caption")


def _is_unsafe(letter: str) -> bool:
    return unicodedata.category(letter) in _UNSAFE and letter not in _JOINERS


def _escaped(letter: str) -> str:
    if letter in _SHORT:
        return _SHORT[letter]
    units = letter.encode("utf-16-be", "surrogatepass")  # above U+FFFF two of them, as JSON writes it
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
