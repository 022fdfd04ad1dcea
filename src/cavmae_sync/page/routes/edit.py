"""Addresses of the way to the edit: selected moments as files of editing programs."""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, Response
from starlette.background import BackgroundTask

from cavmae_sync.edit import FORMATS
from cavmae_sync.page.routes.bodies import Export
from cavmae_sync.page.routes.search import PREFIX
from cavmae_sync.page.service import SearchService

_Time = Annotated[float, Query(ge=0, le=1e7)]


def edit_routes(service: SearchService) -> APIRouter:
    """Addresses of exports."""
    routes = APIRouter(prefix="/api")

    @routes.get("/formats")
    def formats() -> list[dict[str, Any]]:
        """Formats of exports."""
        return [{"name": name, "suffix": each.suffix, "about": each.about} for name, each in FORMATS.items()]

    @routes.post("/export", response_class=Response)
    def export(wanted: Export) -> Response:
        """Selected moments as a file of an editing program, or as a page with hashes and settings."""
        chosen = FORMATS[wanted.format]
        headers = {"content-disposition": f'attachment; filename="moments{chosen.suffix}"'}
        return Response(service.export(wanted), media_type=chosen.mime_type, headers=headers)

    @routes.get("/contents/{content}/cut", response_class=FileResponse)
    def cut(content: str, start_seconds: _Time, stop_seconds: _Time) -> FileResponse:
        """A stretch of a file as a file of its own, exact to the frame; copied where that is exact."""
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        try:
            path = service.cut(content, start_seconds, stop_seconds, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        gone = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
        return FileResponse(path, filename=path.name, background=gone)

    return routes
