"""Addresses of the way to the edit: selected moments as files of editing programs."""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from cavmae_sync.edit import FORMATS
from cavmae_sync.page.bodies import Export
from cavmae_sync.page.routes.search import PREFIX
from cavmae_sync.page.routes.turns import Turns
from cavmae_sync.page.service import SearchService

_Time = Annotated[float, Query(ge=0, le=1e7)]


class _OnceSent(FileResponse):
    """A file in a folder of its own, which is removed when the answer has ended, however it ended."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            shutil.rmtree(Path(self.path).parent, ignore_errors=True)


def edit_routes(service: SearchService) -> APIRouter:
    """Addresses of exports."""
    routes, writing = APIRouter(prefix="/api"), Turns(2)

    @routes.get("/formats")
    def formats() -> list[dict[str, Any]]:
        """Formats of exports."""
        return [{"name": name, "suffix": each.suffix, "about": each.about} for name, each in FORMATS.items()]

    @routes.post("/export", response_class=Response)
    async def export(wanted: Export) -> Response:
        """Selected moments as a file of an editing program, or as a page with hashes and settings."""
        chosen = FORMATS[wanted.format]
        headers = {"content-disposition": f'attachment; filename="moments{chosen.suffix}"'}
        content = await writing.take(service.export, wanted)
        return Response(content, media_type=chosen.mime_type, headers=headers)

    @routes.get("/contents/{content}/cut", response_class=FileResponse)
    async def cut(content: str, start_seconds: _Time, stop_seconds: _Time) -> FileResponse:
        """A stretch of a file as a file of its own, exact to the frame; copied where that is exact."""
        path = await writing.take(_cut, service, content, start_seconds, stop_seconds)
        return _OnceSent(path, filename=path.name)

    return routes


def _cut(service: SearchService, content: str, start_seconds: float, stop_seconds: float) -> Path:
    """The clip, in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        return service.cut(content, start_seconds, stop_seconds, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
