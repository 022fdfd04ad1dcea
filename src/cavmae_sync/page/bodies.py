"""Bodies of requests, checked field by field."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from cavmae_sync.choices import EditFormat
from cavmae_sync.search import Box, By, Filter, Moment, SearchOptions
from cavmae_sync.search.contents import nanoseconds
from cavmae_sync.teaching import Mark, Reason, TaughtSense

#: Time in a file.
Seconds = Annotated[float, Field(ge=0, le=1e7)]
SenseName = Literal["sound", "picture"]
_SENSES = {"sound": "audio", "picture": "visual"}


class Options(BaseModel):
    """Options of a search, the same for every kind of question."""

    by: By | None = Field(None, description="Order by how well the sound fits, the picture, or both.")
    top: int = Field(20, ge=1, le=200, description="Hits at most.")
    cutoff: float = Field(0.95, ge=0, le=1, description="Probability that a match must have.")
    root: list[str] = Field(default_factory=list, description="Only files of these roots.")
    folder: str = Field("", max_length=4096, description="Only files below this folder of a root.")
    has: list[SenseName] = Field(default_factory=list, description="Senses a file must have.")
    after: date | None = Field(None, description="Only files changed on this day or later, YYYY-MM-DD.")
    before: date | None = Field(None, description="Only files changed before this day.")
    min_seconds: float = Field(0.0, ge=0, description="Only files this long.")
    max_seconds: float | None = Field(None, gt=0, description="Only files no longer than this.")

    def to_search(self) -> SearchOptions:
        """The same for the search."""
        return SearchOptions(
            by=self.by,
            num_hits=self.top,
            cutoff=self.cutoff,
            filter=Filter(
                roots=tuple(self.root),
                folder=self.folder,
                senses=tuple("audio" if each == "sound" else "visual" for each in self.has),
                after_ns=nanoseconds(self.after),
                before_ns=nanoseconds(self.before),
                least_seconds=self.min_seconds,
                most_seconds=float("inf") if self.max_seconds is None else self.max_seconds,
            ),
        )


class Words(Options):
    """A text, or the name of a class."""

    text: str = Field(min_length=1, max_length=2000, description="What to look for.")


class Stretch(BaseModel):
    """A stretch of a file of the library."""

    content: str = Field(max_length=64, description="Content, as hits name it.")
    start_seconds: Seconds = Field(description="Start of the moment in its file.")
    stop_seconds: Seconds = Field(description="End of it.")

    @model_validator(mode="after")
    def check_order(self) -> Self:
        """Refuse a stretch without length."""
        if not self.stop_seconds > self.start_seconds:
            raise ValueError("the stretch ends before it begins")
        return self

    def to_moment(self) -> Moment:
        """The same for the search."""
        return Moment(content=self.content, start_seconds=self.start_seconds, stop_seconds=self.stop_seconds)


class Like(Options, Stretch):
    """A moment of the library as a question."""

    senses: list[SenseName] = Field(default_factory=list, description="Its sound, its picture, or both.")

    @property
    def sense_names(self) -> tuple[str, ...]:
        """Senses, as the library names them."""
        return tuple(_SENSES[each] for each in self.senses)


class Frame(Options):
    """A frame of the library as a question, or a part of it."""

    content: str = Field(max_length=64, description="Content, as hits name it.")
    seconds: Seconds = Field(description="Time of the frame in its file.")
    box: str | None = Field(None, max_length=200, description="Part of it: left,top,width,height.")

    def to_box(self) -> Box | None:
        """The part.

        Raises:
            ConfigError: It is none.
        """
        return None if self.box is None else Box.parse(self.box)


class Chosen(Stretch):
    """A moment that was selected, with its scores."""

    offset_seconds: float | None = Field(None, ge=-1e7, le=1e7)
    sound: float | None = Field(None, ge=-1.01, le=1.01)
    picture: float | None = Field(None, ge=-1.01, le=1.01)
    probability: float | None = Field(None, ge=0, le=1)
    name: str = Field("", max_length=500)
    note: str = Field("", max_length=5000)


class Export(BaseModel):
    """Moments on their way to an edit."""

    format: EditFormat
    title: str = Field("moments", min_length=1, max_length=200)
    moments: list[Chosen] = Field(min_length=1, max_length=2000, description="In their order.")
    query: str | None = Field(None, max_length=64, description="Question that found them, for html.")
    options: Options = Field(default_factory=Options, description="Its options.")


class NewClass(BaseModel):
    """A class to teach."""

    name: str = Field(min_length=1, max_length=100)
    sense: TaughtSense = Field("sound", description="What it hears or sees.")


class OneMark(Stretch):
    """What was said of a moment."""

    is_match: bool | None = Field(description="Whether it is of the class; null where one cannot tell.")
    how: Reason = Field("own", description="Why it was marked, as proposals say it.")
    score: float | None = Field(None, ge=0, le=1, description="What the class said of it before.")
    note: str = Field("", max_length=500)

    def to_mark(self) -> Mark:
        """The same for teaching."""
        return Mark(
            content=self.content,
            start_seconds=self.start_seconds,
            stop_seconds=self.stop_seconds,
            is_match=self.is_match,
            reason=self.how,
            probability=self.score,
            note=self.note,
        )


class Marks(BaseModel):
    """What was said of moments."""

    marks: list[OneMark] = Field(min_length=1, max_length=1000)

    def to_marks(self) -> list[Mark]:
        """The same for teaching."""
        return [each.to_mark() for each in self.marks]


class Folder(BaseModel):
    """A folder of footage on this machine."""

    path: str = Field(min_length=1, max_length=4096, description="Its whole path.")
