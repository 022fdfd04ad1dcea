"""Addresses of search: questions, and the views behind a hit."""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Query, UploadFile

from cavmae_sync.page.bodies import Frame, Like, Options, Words
from cavmae_sync.page.routes.turns import Turns
from cavmae_sync.page.service import SearchService
from cavmae_sync.search import Box, By, SearchOptions, Span

#: Beginning of the names of folders that hold a file that was sent, for a moment.
PREFIX = "cavmae-sync-"
Kind = Literal["sound", "picture", "video", "vectors"]


def search_routes(service: SearchService) -> APIRouter:
    """Addresses of search."""
    routes = APIRouter(prefix="/api")
    _add_questions(routes, service)
    _add_views(routes, service)
    return routes


def _add_questions(routes: APIRouter, service: SearchService) -> None:
    asking = Turns(8)

    @routes.post("/search/{kind}")
    async def by_file(
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

        def found() -> dict[str, Any]:
            with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
                path = Path(folder) / "query"  # its own name is only shown: it may be anything
                with path.open("wb") as out:
                    shutil.copyfileobj(file.file, out)
                asked = service.query_of(path, kind, span=span, box=part, name=file.filename or "")
            return service.find(asked, how)

        return await asking.take(found)

    @routes.post("/text")
    def by_text(words: Words) -> dict[str, Any]:
        """Find moments by a text, where the encoder of the library knows words."""
        return service.find(service.text_query(words.text), words.to_search())

    @routes.get("/classes")
    def classes() -> list[str]:
        """Classes that may be asked for: names that a probe has learned, not free text."""
        return service.classes()

    @routes.post("/class")
    def by_class(words: Words) -> dict[str, Any]:
        """Find moments of a class, by its name as text."""
        return service.find(service.class_query(words.text), words.to_search())

    @routes.post("/like")
    def by_moment(like: Like) -> dict[str, Any]:
        """Find moments like one of the library, by its sound, its picture, or both."""
        return service.find(service.moment_query(like.to_moment(), like.sense_names), like.to_search())

    @routes.post("/frame")
    async def by_frame(frame: Frame) -> dict[str, Any]:
        """Find moments by a frame of the library, or a part of it."""
        asked = await asking.take(service.frame_query, frame.content, frame.seconds, frame.to_box())
        return await asking.take(service.find, asked, frame.to_search())

    @routes.post("/queries/{query}")
    def again(query: str, options: Options) -> dict[str, Any]:
        """Ask a question again with other options. Answers name their question for some time."""
        return service.find_again(query, options.to_search())


def _add_views(routes: APIRouter, service: SearchService) -> None:
    @routes.get("/queries/{query}/strip")
    def strip(
        query: str,
        content: Annotated[str, Query(max_length=64)],
        by: Annotated[By | None, Query(description="As the search was ordered.")] = None,
    ) -> dict[str, Any]:
        """How well a question fits along a whole file."""
        return service.strip(query, content, SearchOptions(by=by))

    @routes.get("/queries/{query}/similarity")
    def similarity(
        query: str,
        content: Annotated[str, Query(max_length=64)],
        start_seconds: Annotated[float, Query(ge=-1e7, le=1e7, description="The offset of the hit.")],
    ) -> dict[str, Any]:
        """Cosines of the moments of a question with those of a file around a hit, 16 by 16 at most."""
        return service.similarity(query, content, start_seconds)
