"""Moments on their way to an edit: a stretch of a file, its name, and how it was found."""

from dataclasses import dataclass

from cavmae_sync.edit.source import EditSource
from cavmae_sync.search.hits import Hit


@dataclass(frozen=True, kw_only=True, slots=True)
class EditMoment:
    """A moment on its way to an edit.

    Attributes:
        source: Its file.
        start_seconds: Start on the file's timeline.
        stop_seconds: Stop.
        name: Name that the editing program shows; empty for that of the file.
        note: Text that goes with it.
        content: SHA-256 of the file; None where it is not known.
        root: Name of the file's root in the library.
        place: Path below the root.
        offset_seconds: Time in the file at which the beginning of the query lies.
        sound: Mean cosine of the query with the sound there.
        picture: The same with the picture.
        probability: Chance that something foreign to the library gets no hit as good.
    """

    source: EditSource
    start_seconds: float
    stop_seconds: float
    name: str = ""
    note: str = ""
    content: str | None = None
    root: str = ""
    place: str = ""
    offset_seconds: float | None = None
    sound: float | None = None
    picture: float | None = None
    probability: float | None = None

    @property
    def title(self) -> str:
        """Name, or that of the file."""
        return self.name or self.source.path.name


def moment_of_hit(hit: Hit, source: EditSource, *, name: str = "", note: str = "") -> EditMoment:
    """Moment of a hit of a search.

    Args:
        hit: The hit.
        source: Its file, or a copy of it.
        name: Name that the editing program shows.
        note: Text that goes with it; without one, the scores of the hit.
    """
    return EditMoment(
        source=source,
        start_seconds=max(hit.start_seconds, 0.0),
        stop_seconds=hit.stop_seconds,
        name=name,
        note=note or scores_text(sound=hit.sound, picture=hit.picture, probability=hit.probability),
        content=hit.content,
        root=hit.file.root,
        place=hit.file.path,
        offset_seconds=hit.offset_seconds,
        sound=hit.sound,
        picture=hit.picture,
        probability=hit.probability,
    )


def scores_text(*, sound: float | None, picture: float | None, probability: float | None) -> str:
    """Scores in words: `sound 0.97, picture 0.31, probability 99.9%`; empty without any."""
    cosines = (("sound", sound), ("picture", picture))
    parts = [f"{name} {value:.2f}" for name, value in cosines if value is not None]
    if probability is not None:
        parts.append(f"probability {probability:.1%}")
    return ", ".join(parts)
