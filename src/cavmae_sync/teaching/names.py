"""Names of what is taught, and the record that stands beside its marks.

LIBRARY/taught/NAME/taught.json   sense, length of a moment, salt of the random sample; written first
"""

import json
import secrets
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from cavmae_sync.atomic import locked, write_text
from cavmae_sync.checks import unknown_name
from cavmae_sync.embedding.library.schema import Sense
from cavmae_sync.errors import ConfigError, DatasetError
from cavmae_sync.untrusted import check_plain_name, read_json

#: What a probe hears or sees.
TaughtSense = Literal["sound", "picture", "both"]

TAUGHT_FOLDER: Final = "taught"
RECORD_FILE: Final = "taught.json"
SENSES_OF: Final[dict[TaughtSense, tuple[Sense, ...]]] = {
    "sound": ("audio",),
    "picture": ("visual",),
    "both": ("audio", "visual"),
}
_FORMAT: Final = "cavmae-sync taught/1"
#: File systems take names of 255 bytes; some programs fewer.
_MOST_BYTES: Final = 100
_REMEDY: Final = "Copy it again, or delete it and teach again: marks.jsonl beside it holds the marks."
#: Letters that a file system of another machine refuses.
_REFUSED: Final = '<>:"\\|?*'


@dataclass(frozen=True, kw_only=True, slots=True)
class TaughtRecord:
    """Content of `taught.json`.

    Attributes:
        name: Name of the class.
        sense: What a probe of it hears or sees.
        moment_seconds: Length of a moment.
        salt: Text that the random sample for checks depends on.
        made: When it was begun, ISO 8601.
        format: Kind of the file.
    """

    name: str
    sense: TaughtSense
    moment_seconds: float
    salt: str = field(default_factory=lambda: secrets.token_hex(8))
    made: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    format: str = _FORMAT


def check_name(name: str) -> None:
    """Refuse a name that cannot be that of a class and of a folder on every system.

    Raises:
        ConfigError: It is empty, too long, a path, or has letters that cannot be printed or named.
    """
    try:
        check_plain_name(name, folder=TAUGHT_FOLDER)
    except DatasetError as error:
        raise ConfigError(f"{name!r:.80} cannot be taught: the name is empty, or a path.") from error
    is_odd = name != name.strip() or name.startswith((".", "-")) or name.endswith(".")
    if is_odd or not name.isprintable() or set(name) & set(_REFUSED) or len(name.encode()) > _MOST_BYTES:
        raise ConfigError(
            f"{name!r:.80} cannot be taught: a name has at most {_MOST_BYTES} bytes, none of {_REFUSED}, and "
            "does not begin or end with a dot, a dash or a blank."
        )


def _is_name(name: str) -> bool:
    try:
        check_name(name)
    except ConfigError:
        return False
    return True


def taught_names(library: Path) -> list[str]:
    """Names of what a library was taught, sorted. Other folders there are left out."""
    folder = library / TAUGHT_FOLDER
    if not folder.is_dir():
        return []
    found = (each.name for each in folder.iterdir() if (each / RECORD_FILE).is_file())
    return sorted(name for name in found if _is_name(name))


def open_record(
    library: Path, name: str, *, sense: TaughtSense | None, moment_seconds: float | None
) -> TaughtRecord:
    """Record of a name; begun where there is none and a sense is given.

    Args:
        library: Folder of the library.
        name: The name; see `check_name`.
        sense: What it hears or sees; None takes what it was begun with.
        moment_seconds: Length of a moment of a new one; None takes what it was begun with, or 2 s.

    Raises:
        ConfigError: There is none and no sense is given; or it was begun with another sense or length, or
            with a name that differs in capital letters alone.
        DatasetError: The file is damaged.
    """
    folder = library / TAUGHT_FOLDER / name
    path = folder / RECORD_FILE
    names = taught_names(library)
    if not path.is_file():
        if sense is None:
            raise ConfigError(unknown_name("taught class", name, names))
        if same := [each for each in names if each.casefold() == name.casefold()]:
            raise ConfigError(f"{name!r} differs from {same[0]!r} in capital letters alone. Use that name.")
        seconds = 2.0 if moment_seconds is None else moment_seconds
        if not 0.01 <= seconds <= 3600:
            raise ConfigError(f"A moment of {seconds:g} s is not possible: from 0.01 to 3600 s.")
        with locked(folder / "record.lock"):
            if not path.is_file():
                made = TaughtRecord(name=name, sense=sense, moment_seconds=seconds)
                write_text(path, json.dumps(asdict(made), indent=2) + "\n")
    found = read_json(path, TaughtRecord, remedy=_REMEDY)
    if found.format != _FORMAT:
        raise DatasetError(
            f"{path} has the format {found.format!r:.40}, not {_FORMAT!r}. Update cavmae-sync."
        )
    if sense not in (None, found.sense):
        raise ConfigError(
            f"{name!r} was begun with the sense {found.sense}, not {sense}. Leave the sense out, or teach "
            "another name."
        )
    if moment_seconds not in (None, found.moment_seconds):
        raise ConfigError(
            f"{name!r} was begun with moments of {found.moment_seconds:g} s, not {moment_seconds:g} s. "
            "Leave it out, or teach another name."
        )
    return found
