"""Addresses of the service and their answers.

Needs the extra `search`. Answers are JSON, pictures or the media themselves; errors say what to do.
"""

import re
import shutil
import tempfile
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, File, Form, Query, Request, UploadFile
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, Field, ValidationError

from cavmae_sync.config import describe_invalid
from cavmae_sync.errors import CavMaeSyncError, MediaError
from cavmae_sync.page.guard import LOOPBACK, MOST_BYTES, Guard
from cavmae_sync.page.reference import reference_page
from cavmae_sync.page.service import SearchService, UnknownContentError
from cavmae_sync.search import Box, By, Filter, Moment, SearchOptions, Span
from cavmae_sync.search.contents import nanoseconds

_ABOUT = (
    "Find moments in a library of videos and sounds by a sound, a picture, a video, or another moment. "
    "Everything stays on this machine."
)
_PREFIX = "cavmae-sync-"
Kind = Literal["sound", "picture", "video", "vectors"]
Seconds = Annotated[float, Field(ge=0, le=1e7)]


class Options(BaseModel):
    """Options of a search, the same for every kind of question."""

    by: By | None = Field(None, description="Order by how well the sound fits, the picture, or both.")
    top: int = Field(20, ge=1, le=200, description="Hits at most.")
    cutoff: float = Field(0.95, ge=0, le=1, description="Probability that a match must have.")
    root: list[str] = Field(default_factory=list, description="Only files of these roots.")
    folder: str = Field("", max_length=4096, description="Only files below this folder of a root.")
    has: list[Literal["sound", "picture"]] = Field(
        default_factory=list, description="Senses a file must have."
    )
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


class Like(Options):
    """A moment of the library."""

    content: str = Field(max_length=64, description="Content, as hits name it.")
    start_seconds: Seconds = Field(description="Start of the moment in its file.")
    stop_seconds: Seconds = Field(description="End of it.")


def make_app(
    service: SearchService, *, most_bytes: int = MOST_BYTES, hosts: frozenset[str] = LOOPBACK
) -> Guard:
    """The service as an ASGI application.

    Args:
        service: What is served.
        most_bytes: Most bytes of a request.
        hosts: Names under which it may be asked.
    """
    # FastAPI's own pages of documentation load scripts from elsewhere; ours does not.
    app = FastAPI(title="cavmae-sync search", description=_ABOUT, docs_url=None, redoc_url=None)
    _add_errors(app)
    _add_library(app, service)
    _add_search(app, service)
    return Guard(app, hosts=hosts, most_bytes=most_bytes)


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(CavMaeSyncError)
    def told(_request: Request, error: Exception) -> JSONResponse:
        """An error of ours, in words."""
        status = 404 if isinstance(error, UnknownContentError) else 422
        # Where a file that was sent lay for a moment is nobody's business.
        said = re.sub(rf"{re.escape(tempfile.gettempdir())}/{_PREFIX}\S*", "the file", str(error))
        return JSONResponse({"error": said}, status_code=status)

    @app.exception_handler(ValidationError)
    def misfit(_request: Request, error: Exception) -> JSONResponse:
        """Options that do not fit."""
        assert isinstance(error, ValidationError)
        return JSONResponse({"error": f"options: {describe_invalid(error)}"}, status_code=422)


def _add_library(app: FastAPI, service: SearchService) -> None:
    @app.get("/", include_in_schema=False)
    @app.get("/docs", include_in_schema=False)
    def reference() -> HTMLResponse:
        """The reference of the service."""
        return HTMLResponse(reference_page(app.openapi()))

    @app.get("/api/status")
    def status() -> dict[str, Any]:
        """Counts of the library: clips, files, roots, what waits, what failed."""
        return service.status()

    @app.get("/api/failures")
    def failures() -> list[dict[str, Any]]:
        """Files that cannot be used, with the reason."""
        return service.failures()

    @app.get("/api/contents/{content}/thumbnail", response_class=Response)
    def thumbnail(content: str, seconds: Annotated[float, Query(ge=0, le=1e7)] = 0.0) -> Response:
        """JPEG of the frame of a content at a time."""
        return Response(service.thumbnail(content, seconds), media_type="image/jpeg")

    @app.get("/api/contents/{content}/peaks")
    def peaks(content: str) -> list[float]:
        """Waveform of a content: the loudest sample of each of 1,000 equal parts."""
        return service.peaks(content)

    @app.get("/api/contents/{content}/media", response_class=FileResponse)
    def media(content: str) -> FileResponse:
        """The file itself, or a range of it."""
        return FileResponse(service.file(content))

    @app.get("/api/contents/{content}/playable")
    def playable(content: str) -> dict[str, Any]:
        """Whether browsers play the file, or a small copy is ready or being made: ask again meanwhile."""
        found = service.playable(content)
        return {"state": found.state, "fraction": found.fraction, "reason": found.reason}

    @app.get("/api/contents/{content}/playable/media", response_class=FileResponse)
    def playable_media(content: str) -> FileResponse:
        """The file that browsers play, or a range of it."""
        found = service.playable(content)
        if found.path is None:
            raise MediaError(found.reason or "The copy that browsers play is not ready yet. Ask again.")
        return FileResponse(found.path)


def _add_search(app: FastAPI, service: SearchService) -> None:
    @app.post("/api/search/{kind}")
    def by_file(
        kind: Kind,
        file: Annotated[UploadFile, File(description="Sound, picture, video, or vectors (.npz, Parquet).")],
        options: Annotated[str, Form(description="Options as JSON, as those of /api/like.")] = "{}",
        start_seconds: Annotated[float | None, Form(ge=0, description="Start of the part to take.")] = None,
        stop_seconds: Annotated[float | None, Form(ge=0, description="End of it.")] = None,
        box: Annotated[str | None, Form(description="Part of the picture: left,top,width,height.")] = None,
    ) -> dict[str, Any]:
        """Find moments by a file that is sent. It is deleted when it has been encoded."""
        how = Options.model_validate_json(options).to_search()
        part = None if box is None else Box.parse(box)
        span = Span(start_seconds=start_seconds or 0.0, stop_seconds=stop_seconds)
        with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
            # Its own name is only shown: it may be anything.
            path = Path(folder) / "query"
            with path.open("wb") as out:
                shutil.copyfileobj(file.file, out)
            query = service.query_of(path, kind, span=span, box=part, name=file.filename or "")
        return service.find(query, how).to_dict()

    @app.post("/api/text")
    def by_text(words: Words) -> dict[str, Any]:
        """Find moments by a text, where the encoder of the library knows words."""
        return service.find(service.text_query(words.text), words.to_search()).to_dict()

    @app.get("/api/classes")
    def classes() -> list[str]:
        """Classes that may be asked for: names that a probe has learned, not free text."""
        return service.classes()

    @app.post("/api/class")
    def by_class(words: Words) -> dict[str, Any]:
        """Find moments of a class, by its name as text."""
        return service.find(service.class_query(words.text), words.to_search()).to_dict()

    @app.post("/api/like")
    def by_moment(like: Like) -> dict[str, Any]:
        """Find moments like one of the library."""
        moment = Moment(
            content=like.content, start_seconds=like.start_seconds, stop_seconds=like.stop_seconds
        )
        return service.find_like(moment, like.to_search()).to_dict()
