"""Deriving the timelines of a library: what is not in them yet is read from its parts."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from cavmae_sync.atomic import locked
from cavmae_sync.embedding.library import Library
from cavmae_sync.embedding.library.schema import DERIVED_FOLDER
from cavmae_sync.errors import DatasetError
from cavmae_sync.search.contents import HeldContents
from cavmae_sync.search.timeline import Grid, Timelines, clear_timelines, extend_timelines, grid_of

#: Called with how much is done and how much there is.
OnProgress = Callable[[int, int], None]


def derive_timelines(library: Library, held: HeldContents, on_progress: OnProgress | None) -> Timelines:
    """Timelines with everything that a library holds; what is not in them yet is added.

    Several processes may do so at once: one adds, the others wait for it. A part that is damaged is left
    out; reading it says why.
    """
    folder = library.folder / DERIVED_FOLDER / "search"
    width, step = library.record.encoder.width, library.config.step_seconds

    def opened() -> Timelines:
        return Timelines(folder, width=width, step_seconds=step)

    try:
        known = opened()
    except DatasetError:
        clear_timelines(folder)
        known = opened()
    if all(content in known.number for content in held):
        return known
    known.close()
    with locked(folder / "writer.lock"):
        known = opened()  # another process may have added some meanwhile
        known.close()
        missing = [content for content in held if content not in known.number]

        def grids() -> Iterator[tuple[str, Grid]]:
            for done, content in enumerate(missing, start=1):
                with suppress(DatasetError):
                    yield content, grid_of(library.part(content), step_seconds=step, width=width)
                if on_progress is not None:
                    on_progress(done, len(missing))

        extend_timelines(folder, grids(), width=width, step_seconds=step)
    return opened()
