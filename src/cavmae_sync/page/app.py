"""The service as an ASGI application: addresses, errors in words, and the page itself.

Needs the extra `search`. Answers are JSON, pictures or the media themselves; errors say what to do.
"""

import re
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from cavmae_sync.config import describe_invalid
from cavmae_sync.errors import CavMaeSyncError
from cavmae_sync.page.files import UnknownContentError
from cavmae_sync.page.guard import MOST_BYTES, Access, Guard
from cavmae_sync.page.queries import UnknownQueryError
from cavmae_sync.page.reference import reference_page
from cavmae_sync.page.routes.edit import edit_routes
from cavmae_sync.page.routes.library import library_routes
from cavmae_sync.page.routes.search import PREFIX, search_routes
from cavmae_sync.page.routes.teach import teach_routes
from cavmae_sync.page.service import SearchService

_ABOUT: Final = (
    "Find moments in a library of videos and sounds by a sound, a picture, a video, or another moment. "
    "Everything stays on this machine."
)
#: Fields of a request that are told.
_MOST_TOLD: Final = 5
_STATIC: Final = Path(str(files("cavmae_sync.page") / "static"))


def make_app(service: SearchService, *, most_bytes: int = MOST_BYTES, access: Access | None = None) -> Guard:
    """The service as an ASGI application.

    Args:
        service: What is served.
        most_bytes: Most bytes of a request.
        access: Who may ask; None is this machine alone.
    """
    # FastAPI's own pages of documentation load scripts from elsewhere; ours does not.
    app = FastAPI(title="cavmae-sync search", description=_ABOUT, docs_url=None, redoc_url=None)
    _add_errors(app)
    _add_pages(app)
    for routes in (library_routes, search_routes, edit_routes, teach_routes):
        app.include_router(routes(service))
    return Guard(app, access=access, most_bytes=most_bytes)


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(CavMaeSyncError)
    def told(_request: Request, error: Exception) -> JSONResponse:
        """An error of ours, in words."""
        status = 404 if isinstance(error, (UnknownContentError, UnknownQueryError)) else 422
        # Where a file that was sent lay for a moment is nobody's business.
        said = re.sub(rf"{re.escape(tempfile.gettempdir())}/{PREFIX}\S*", "the file", str(error))
        return JSONResponse({"error": said}, status_code=status)

    @app.exception_handler(ValidationError)
    def misfit(_request: Request, error: Exception) -> JSONResponse:
        """Options that do not fit."""
        assert isinstance(error, ValidationError)
        return JSONResponse({"error": f"options: {describe_invalid(error)}"}, status_code=422)

    @app.exception_handler(RequestValidationError)
    def unfit(_request: Request, error: Exception) -> JSONResponse:
        """Fields that do not fit. What was sent is not repeated: it may not even be JSON."""
        assert isinstance(error, RequestValidationError)
        said = [f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors()]
        return JSONResponse({"error": "; ".join(said[:_MOST_TOLD])}, status_code=422)

    @app.exception_handler(HTTPException)
    def refused(_request: Request, error: Exception) -> JSONResponse:
        """No such address, or a body that cannot be read."""
        assert isinstance(error, HTTPException)
        return JSONResponse({"error": str(error.detail)}, status_code=error.status_code)


def _add_pages(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        """The page for people."""
        return FileResponse(_STATIC / "index.html")

    @app.get("/docs", include_in_schema=False)
    def reference() -> HTMLResponse:
        """The reference of the service."""
        return HTMLResponse(reference_page(app.openapi()))

    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
