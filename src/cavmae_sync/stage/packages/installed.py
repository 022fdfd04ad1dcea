"""Pictures and recordings of the packages, as they lie on the disk."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cavmae_sync.choices import Voice
from cavmae_sync.errors import DatasetError

PACKAGES: Final = ("qabcs-data", "tuxpaint-stamps-default", "tuxpaint-data")
_QABCS: Final = Path("usr/share/qabcs/abcs/all")
_STAMPS: Final = Path("usr/share/tuxpaint/stamps")
_PHOTOGRAPHS: Final = Path("usr/share/tuxpaint/templates")
_ENDINGS: Final = (".ogg", ".wav")
#: NAME_desc.ogg is the English name, NAME_desc_fr.ogg the French one.
_SPOKEN: Final = re.compile(r"(?P<name>.+)_desc(?:_(?P<language>[a-zA-Z_]+))?")
#: Photographs that show what is also an object, or that have black bars.
_UNSUITABLE: Final = frozenset({"jellyfish", "sheep", "mossy_bark"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A picture of the packages with its recordings.

    Attributes:
        name: Unique, for example "qabcs-cow".
        stem: Name without the package, for example "cow".
        folder: First folder of the picture, for animals the first two: "vehicles", "animals-birds".
        picture: PNG file, or SVG where there is no PNG.
        effects: Recordings of the thing itself, by take; at most one.
        spoken_names: Recordings of its name, by language.
    """

    name: str
    stem: str
    folder: str
    picture: Path
    effects: dict[str, Path]
    spoken_names: dict[str, Path]

    def sounds(self, voice: Voice) -> dict[str, Path]:
        """Recordings that a voice asks for, by take; none where the one that it needs is missing."""
        if voice == "effects":
            return self.effects
        if voice == "names":
            return self.spoken_names
        return self.effects | self.spoken_names if self.effects else {}


def find_candidates(root: Path) -> list[Candidate]:
    """All pictures of `qabcs-data` and `tuxpaint-stamps-default`, by name, with and without recordings.

    Args:
        root: Folder that the packages are unpacked in; `/` where they are installed.

    Raises:
        DatasetError: A package is not there.
    """
    _check(root, ("qabcs-data", _QABCS), ("tuxpaint-stamps-default", _STAMPS))
    found = [*_from_qabcs(root / _QABCS), *_from_stamps(root / _STAMPS)]
    return sorted(found, key=lambda candidate: candidate.name)


def find_landscapes(root: Path) -> list[Path]:
    """Photographs of `tuxpaint-data` that can stand behind objects, by name.

    Raises:
        DatasetError: The package is not there.
    """
    _check(root, ("tuxpaint-data", _PHOTOGRAPHS))
    return [p for p in sorted((root / _PHOTOGRAPHS).glob("*.jpg")) if p.stem not in _UNSUITABLE]


def find_licences(root: Path) -> dict[str, Path]:
    """Copyright file of each package that has one on this disk."""
    files = {package: root / "usr/share/doc" / package / "copyright" for package in PACKAGES}
    return {package: path for package, path in files.items() if path.is_file()}


def _check(root: Path, *wanted: tuple[str, Path]) -> None:
    missing = [(package, root / folder) for package, folder in wanted if not (root / folder).is_dir()]
    if missing:
        package, folder = missing[0]
        raise DatasetError(
            f"The real pack needs the Debian package {package}, but {folder} is not there. Install it: "
            f"apt install {' '.join(PACKAGES)}. Without root: apt download {' '.join(PACKAGES)}, "
            "dpkg-deb -x FILE FOLDER for each, and --packages FOLDER."
        )


def _from_qabcs(folder: Path) -> Iterator[Candidate]:
    for picture in sorted(folder.glob("pics/*/*.png")):
        effect = folder / "noises" / f"{picture.stem}.ogg"
        yield Candidate(
            name=f"qabcs-{picture.stem}",
            stem=picture.stem,
            folder=picture.parent.name,
            picture=picture,
            effects={"effect": effect} if effect.is_file() else {},
            spoken_names={},
        )


def _from_stamps(root: Path) -> Iterator[Candidate]:
    for folder in sorted({path.parent for path in root.rglob("*") if path.suffix in {".png", ".svg"}}):
        below = folder.relative_to(root).parts
        is_symbol = below[:1] == ("symbols",)  # its recordings are letters and digits, spoken
        effects, spoken_names = _recordings(folder)
        for picture in _pictures(folder):
            yield Candidate(
                name="-".join(("tuxpaint", *below, picture.stem)).lower(),
                stem=picture.stem,
                folder="-".join(below[: 2 if below[0] == "animals" else 1]),
                picture=picture,
                effects={} if is_symbol else effects.get(picture.stem, {}),
                spoken_names=spoken_names.get(picture.stem, {}),
            )


def _pictures(folder: Path) -> list[Path]:
    """PNG files, and SVG files without a PNG of the same name."""
    by_stem = {path.stem: path for path in folder.glob("*.svg")} | {p.stem: p for p in folder.glob("*.png")}
    return [by_stem[stem] for stem in sorted(by_stem)]


def _recordings(folder: Path) -> tuple[dict[str, dict[str, Path]], dict[str, dict[str, Path]]]:
    """Effects and spoken names in a folder of stamps, by name of the picture and then by take."""
    effects: dict[str, dict[str, Path]] = {}
    spoken_names: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix not in _ENDINGS:
            continue
        if spoken := _SPOKEN.fullmatch(path.stem):
            language = (spoken["language"] or "en").lower()
            spoken_names.setdefault(spoken["name"], {}).setdefault(language, path)
        else:
            effects.setdefault(path.stem, {}).setdefault("effect", path)
    return effects, spoken_names
