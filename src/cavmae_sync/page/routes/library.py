"""Addresses of the library: its state, its files, their pictures, and adding folders."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, Response

from cavmae_sync.errors import MediaError
from cavmae_sync.page.bodies import Folder
from cavmae_sync.page.routes.turns import Turns
from cavmae_sync.page.service import SearchService

_Stop = Annotated[float | None, Query(gt=0, le=1e7)]
_Time = Annotated[float, Query(ge=0, le=1e7)]
#: Pictures of a content never change, since its name says what is in it.
_FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}


def library_routes(service: SearchService) -> APIRouter:
    """Addresses of a library."""
    routes = APIRouter(prefix="/api")
    _add_state(routes, service)
    _add_pictures(routes, service)
    _add_media(routes, service)
    return routes


def _add_state(routes: APIRouter, service: SearchService) -> None:
    @routes.get("/status")
    def status() -> dict[str, Any]:
        """Counts of the library: clips, files, roots, what waits, what failed, what is being added."""
        return service.status()

    @routes.get("/failures")
    def failures() -> list[dict[str, Any]]:
        """Files that cannot be used, with the reason."""
        return service.failures()

    @routes.post("/folders", status_code=202)
    def add_folder(folder: Folder) -> dict[str, Any]:
        """Begin to add a folder of footage. The status says how far it is; what is added is found at once."""
        service.add_folder(Path(folder.path))
        return service.indexing.state()

    @routes.post("/update", status_code=202)
    def update() -> dict[str, Any]:
        """Begin to look for files that are new or have changed."""
        service.indexing.update()
        return service.indexing.state()

    @routes.get("/contents")
    def files(
        text: Annotated[str, Query(max_length=1000)] = "",
        first: Annotated[int, Query(ge=0)] = 0,
        most: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> dict[str, Any]:
        """Files of the library by name, those whose name has a text in it."""
        return service.files.listed(text, first=first, most=most)


def _add_pictures(routes: APIRouter, service: SearchService) -> None:
    drawing, mapping, files = Turns(4), Turns(1), service.files

    @routes.get("/contents/{content}")
    async def facts(content: str) -> dict[str, Any]:
        """Where a content lies, its rate of frames, timecode, sizes and length."""
        return await drawing.take(files.facts, content)

    @routes.get("/contents/{content}/thumbnail", response_class=Response)
    async def thumbnail(content: str, seconds: _Time = 0.0) -> Response:
        """JPEG of the frame of a content at a time."""
        picture = await drawing.take(files.thumbnail, content, seconds)
        return Response(picture, media_type="image/jpeg", headers=_FOR_EVER)

    @routes.get("/contents/{content}/peaks")
    async def peaks(content: str, start_seconds: _Time = 0.0, stop_seconds: _Stop = None) -> list[float]:
        """Waveform of a content: the loudest sample of each of 1,000 equal parts; of a stretch, 200 parts."""
        if stop_seconds is None:
            return await drawing.take(files.peaks, content)
        return await drawing.take(files.stretch_peaks, content, start_seconds, stop_seconds)

    @routes.get("/contents/{content}/agreement")
    def agreement(content: str) -> dict[str, Any]:
        """How well sound and picture of a content belong together over time, by its stored vectors."""
        return service.agreement(content)

    @routes.get("/contents/{content}/map")
    async def sound_map(content: str, seconds: _Time = 0.0) -> dict[str, Any]:
        """Where in the middle square of a frame its sound is, patch by patch in [0, 1]."""
        return await mapping.take(service.sound_map, content, seconds)


def _add_media(routes: APIRouter, service: SearchService) -> None:
    @routes.get("/contents/{content}/media", response_class=FileResponse)
    def media(content: str) -> FileResponse:
        """The file itself, or a range of it."""
        return FileResponse(service.files.path(content))

    @routes.get("/contents/{content}/playable")
    def playable(content: str) -> dict[str, Any]:
        """Whether browsers play the file, or a small copy is ready or being made: ask again meanwhile."""
        found = service.files.playable(content)
        return {"state": found.state, "fraction": found.fraction, "reason": found.reason}

    @routes.get("/contents/{content}/playable/media", response_class=FileResponse)
    def playable_media(content: str) -> FileResponse:
        """The file that browsers play, or a range of it."""
        found = service.files.playable(content)
        if found.path is None:
            raise MediaError(found.reason or "The copy that browsers play is not ready yet. Ask again.")
        return FileResponse(found.path)
