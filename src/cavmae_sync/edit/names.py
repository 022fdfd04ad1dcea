"""Names of strangers on their way into lists of other programs: nothing in them can break a list or run."""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cavmae_sync.safe_text import escape_line

#: Letters that XML forbids or that are no text: control characters, marks that turn the direction of text,
#: halves of characters, separators. Joiners, which scripts and emoji need, stay.
_LEFT_OUT: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS: Final = "\u200c\u200d"
_NO_CHARACTERS: Final = "\ufffe\uffff"
#: First letters by which programs for tables know a formula.
_FORMULA: Final = "=+-@"
_REEL_LETTERS: Final = 8
#: Names that lists use for other things: black, and a source without a reel.
_TAKEN_REELS: Final = frozenset({"BL", "AX"})
_FILE_LETTERS: Final = 80
#: Names that Windows gives to devices.
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def one_line(text: str) -> str:
    r"""Text of one line that XML can hold: control characters become blanks or are left out.

    >>> one_line("a\tb\x1bc\n")
    'a bc'
    """
    spaced = re.sub(r"\s+", " ", text)
    return "".join(letter for letter in spaced if _is_text(letter)).strip()


def _is_text(letter: str) -> bool:
    is_left_out = unicodedata.category(letter) in _LEFT_OUT and letter not in _JOINERS
    return not is_left_out and letter not in _NO_CHARACTERS


def file_url(path: Path, *, host: str = "") -> str:
    """URL of a file, percent-encoded, so that every name is exact.

    >>> file_url(Path("/my videos/ä'.mov"), host="localhost")
    'file://localhost/my%20videos/%C3%A4%27.mov'
    """
    return path.absolute().as_uri().replace("file://", f"file://{host}", 1)


def table_cell(text: str) -> str:
    """Cell of a CSV file: one line, and an apostrophe before what a program would run as a formula.

    >>> table_cell("=1+1"), table_cell("a")
    ("'=1+1", 'a')
    """
    line = escape_line(text)
    return f"'{line}" if line.lstrip()[:1] in tuple(_FORMULA) else line


def reel_names(paths: Iterable[Path]) -> dict[Path, str]:
    """Reel name of each file: eight capital letters and digits, no two alike.

    >>> list(reel_names([Path("a/Straße 12 long.mov"), Path("b/strasse 12 LONGER.mov")]).values())
    ['STRASSE1', 'STRASSE2']
    """
    names: dict[Path, str] = {}
    used = set(_TAKEN_REELS)
    numbers: dict[str, int] = {}
    for path in dict.fromkeys(paths):
        flat = unicodedata.normalize("NFKD", path.stem.replace("ß", "ss")).encode("ascii", "ignore").decode()
        stem = re.sub(r"[^A-Z0-9]", "", flat.upper()) or "REEL"
        name, number = stem[:_REEL_LETTERS], numbers.get(stem, 1)
        while name in used:
            number += 1
            name = f"{stem[: _REEL_LETTERS - len(str(number))]}{number}"
        used.add(name)
        numbers[stem] = number
        names[path] = name
    return names


def safe_file_name(text: str) -> str:
    """Name of a file that every system takes: no path, no sign that a shell or a disk treats specially.

    >>> safe_file_name("../a: b?.mov"), safe_file_name("con")
    ('a_ b_.mov', '_con')
    """
    name = re.sub(r'[<>:"/\\|?*%$`\']', "_", one_line(text)).lstrip("._- ")
    name = name[:_FILE_LETTERS].rstrip(". ")
    return f"_{name}" if not name or _DEVICES.fullmatch(name) else name
