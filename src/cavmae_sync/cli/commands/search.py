"""`cavmae-sync search`: find the moment."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.table import Column, Table

from cavmae_sync.cli.edits import EditOptions, show_written
from cavmae_sync.cli.libraries import open_library_model
from cavmae_sync.cli.options import Count, EncodeOptions, Json, Switch
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json, print_line
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.embedding.library import Library
    from cavmae_sync.search import Filter, Found, Moment, Query


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class QueryOptions:
    """Question: one of these.

    Attributes:
        sound: Sound, or the sound of a video; FILE@START-STOP takes a part.
        picture: Picture.
        video: Video, by sound and picture; FILE@START-STOP takes a part.
        like: Moment of the library itself: ROOT/PATH@START-STOP, as results show it.
        text: Text, where the encoder of the library knows words.
        class_: Class of a probe, given by --probe.
        probe: Folder that `cavmae-sync probe` made, with head=linear features.depth=joint.
        vectors: File of vectors that the encoder of the library made, .npz or Parquet.
        box: Part of the picture: left,top,width,height in fractions of it.
    """

    sound: str | None = None
    picture: Path | None = None
    video: str | None = None
    like: str | None = None
    text: str | None = None
    class_: Annotated[str | None, Parameter(name="--class")] = None
    probe: Path | None = None
    vectors: Path | None = None
    box: str | None = None

    @property
    def file(self) -> Path | None:
        """File that is asked with, without its span."""
        from cavmae_sync.search import parse_span

        spanned = self.sound or self.video
        return parse_span(spanned)[0] if spanned is not None else self.picture or self.vectors

    def check(self) -> None:
        """Refuse none and several of them.

        Raises:
            ConfigError: It is not one.
        """
        given = [self.sound, self.picture, self.video, self.like, self.text, self.vectors, self.class_]
        if sum(each is not None for each in given) != 1:
            raise ConfigError(
                "Give one of --sound, --picture, --video, --like, --text, --class and --vectors."
            )
        if (self.class_ is None) != (self.probe is None):
            raise ConfigError("--class NAME and --probe PROBE go together.")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class FilterOptions:
    """Filter on files: those that may be found.

    Attributes:
        root: Only files of this root; may be repeated.
        folder: Only files below this folder of a root.
        after: Only files changed on this day or later, YYYY-MM-DD.
        before: Only files changed before this day.
        min_seconds: Only files this long.
        max_seconds: Only files no longer than this.
        has: Senses that a file must have; may be repeated.
    """

    root: list[str] | None = None
    folder: str = ""
    after: str | None = None
    before: str | None = None
    min_seconds: float = 0.0
    max_seconds: float = float("inf")
    has: list[Literal["sound", "picture"]] | None = None

    def settings(self) -> dict[str, str]:
        """What is chosen, by name, for a page of evidence."""
        given = {name: getattr(self, name) for name in self.__slots__}
        usual = {name: getattr(FilterOptions(), name) for name in self.__slots__}
        return {f"filter: {name}": str(value) for name, value in given.items() if value != usual[name]}

    def filter(self) -> "Filter":
        """The filter.

        Raises:
            ConfigError: A day is none.
        """
        from cavmae_sync.search import Filter
        from cavmae_sync.search.contents import nanoseconds

        return Filter(
            roots=tuple(self.root or ()),
            folder=self.folder,
            after_ns=nanoseconds(_day(self.after, "--after")),
            before_ns=nanoseconds(_day(self.before, "--before")),
            least_seconds=self.min_seconds,
            most_seconds=self.max_seconds,
            senses=tuple("audio" if each == "sound" else "visual" for each in self.has or ()),
        )


def search(
    library: Path,
    /,
    *,
    query: QueryOptions = QueryOptions(),
    by: Annotated[
        Literal["sound", "picture", "both"] | None,
        Parameter(
            help="Order hits by their sound, their picture, or both; by what is asked with unless given."
        ),
    ] = None,
    top: Annotated[Count, Parameter(help="Hits to show.")] = 10,
    cutoff: Annotated[float, Parameter(help="Probability that a match must have, in [0, 1].")] = 0.95,
    exact: Annotated[Switch, Parameter(help="Look at every place, however long it takes.")] = False,
    files: FilterOptions = FilterOptions(),
    model: Path | None = None,
    compute: EncodeOptions = EncodeOptions(),
    edits: EditOptions = EditOptions(),
    as_json: Json = False,
) -> None:
    """Find the moments of a library that fit a sound, a picture, a video, or another moment of it.

    Each hit says where it is, how well its sound and its picture fit (cosines), and the probability that
    something foreign to the library would not get as good a hit. If none is above the cut-off, nothing here
    matches; the nearest moments are shown all the same. A library of few files cannot say so, and ranks.

    Nothing leaves this machine.

    Example: cavmae-sync search my-library --sound bark.wav

    Args:
        library: Folder of the library, made by `index add`.
        model: The model, where the library does not know it or it lies elsewhere now.
    """
    from cavmae_sync.embedding.library import convert_if_old, open_library
    from cavmae_sync.search import LibrarySearch, SearchOptions

    if not 0 <= cutoff <= 1:
        raise ConfigError(f"--cutoff {cutoff:g} must be in [0, 1]: it is a probability.")
    edits.check()
    convert_if_old(library)
    opened = open_library(library)
    with show_progress("taking in new files") as advance:
        searched = LibrarySearch(opened, on_progress=advance)
    own = None if query.like is None else _moment(opened, query.like)
    if own is None:
        asked = _query(opened, query, model=model, compute=compute)
    else:
        query.check()
        asked = searched.moment(own)
    options = SearchOptions(
        by=by, num_hits=top, cutoff=cutoff, filter=files.filter(), is_exact=exact, without=own
    )
    with show_progress("asking strangers, to know how they score") as advance:
        found = searched.search(asked, options, on_progress=advance)
    written = edits.write(found, opened, query_file=query.file, settings=files.settings())
    if as_json:
        print_json({"library": str(library), **found.to_dict(), **written})
        return
    _show(found)
    show_written(written)


def _query(
    library: "Library", options: QueryOptions, *, model: Path | None, compute: EncodeOptions
) -> "Query":
    from cavmae_sync.search import (
        Box,
        class_query,
        parse_span,
        picture_query,
        sound_query,
        text_query,
        vectors_query,
        video_query,
    )

    options.check()
    if options.class_ is not None and options.probe is not None:
        from cavmae_sync.tasks.classification.probe import Probe

        return class_query(library.record, Probe.load(options.probe), options.class_)
    if options.vectors is not None:
        return vectors_query(library.record, options.vectors)
    box = None if options.box is None else Box.parse(options.box)
    encoder, _ = open_library_model(library.folder, model, compute=compute)
    config = library.config
    if options.text is not None:
        return text_query(encoder, config, options.text)
    if options.picture is not None:
        return picture_query(encoder, config, options.picture, box=box)
    if box is not None and options.video is None:
        raise ConfigError("--box is a part of a picture: it goes with --picture and --video.")
    path, span = parse_span(options.sound or options.video or "")
    if options.sound is not None:
        return sound_query(encoder, config, path, span=span)
    return video_query(encoder, config, path, span=span, box=box)


def _moment(library: "Library", text: str) -> "Moment":
    from cavmae_sync.search import Moment, parse_span

    path, span = parse_span(text)
    named = {f"{row.root}/{row.path}": row.content for row in library.files()}
    content = named.get(path.as_posix())
    if content is None:
        raise ConfigError(f"--like {path}: the library has no such file. Write ROOT/PATH@START-STOP.")
    stop = float("inf") if span.stop_seconds is None else span.stop_seconds
    return Moment(content=content, start_seconds=span.start_seconds, stop_seconds=stop)


def _day(day: str | None, option: str) -> date | None:
    if day is None:
        return None
    try:
        return date.fromisoformat(day)
    except ValueError as error:
        raise ConfigError(f"{option} {day!r} must be a day, YYYY-MM-DD.") from error


def _show(found: "Found") -> None:
    from cavmae_sync.media.clock import clock
    from cavmae_sync.search import verdict

    print_line(verdict(found))
    table = Table("", "from", "to", Column("file", overflow="fold"), "sound", "picture", "probability")
    for number, hit in enumerate(found.hits, start=1):
        place = hit.file
        copies = f" (+{len(hit.places) - 1})" if len(hit.places) > 1 else ""
        offline = ", offline" if place.is_offline else ""
        table.add_row(
            str(number),
            clock(hit.start_seconds, with_tenths=True),
            clock(hit.stop_seconds, with_tenths=True),
            f"{place.root}/{place.path}{copies}{offline}",
            _number(hit.sound),
            _number(hit.picture),
            "" if hit.probability is None else f"{hit.probability:.1%}",
        )
    Terminal().print(table)
    if found.num_damaged:
        print_line(
            f"{found.num_damaged} files could not be searched: their parts are missing or damaged. Delete "
            "damaged ones and run cavmae-sync index update."
        )
    how = "every place was looked at" if found.is_exact else "places were proposed by a coarse index"
    print_line(f"{found.about}, ordered by {found.by}; {how}; {1000 * found.seconds:.0f} ms")


def _number(cosine: float | None) -> str:
    return "" if cosine is None else f"{cosine:.2f}"
