"""Addresses of teaching: classes, marks, what to mark next, what is found."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from cavmae_sync.page.bodies import Marks, NewClass
from cavmae_sync.page.service import SearchService
from cavmae_sync.teaching import ExportFormat

_Name = Annotated[str, Path(max_length=100)]
_Count = Annotated[int, Query(ge=1, le=500)]
_FILES: dict[ExportFormat, tuple[str, str]] = {
    "csv": ("marks.csv", "text/csv"),
    "raven": ("marks.txt", "text/plain"),
}


def teach_routes(service: SearchService) -> APIRouter:
    """Addresses of teaching."""
    routes = APIRouter(prefix="/api/taught")
    teach = service.teach

    @routes.get("")
    def classes() -> list[dict[str, Any]]:
        """Classes that this library was taught, and how each stands."""
        return teach(lambda taught: taught.states())

    @routes.post("")
    def begin(new: NewClass) -> dict[str, Any]:
        """Begin a class, or go on with it."""
        return teach(lambda taught: taught.begin(new.name, new.sense))

    @routes.get("/{name}")
    def state(name: _Name) -> dict[str, Any]:
        """How a class stands: marks, and its precision where that can be said."""
        return teach(lambda taught: taught.state(name))

    @routes.post("/{name}/marks")
    def mark(name: _Name, marks: Marks) -> dict[str, Any]:
        """Say of moments whether they are of the class."""
        return teach(lambda taught: taught.add(name, marks.to_marks()))

    @routes.post("/{name}/undo")
    def undo(name: _Name) -> dict[str, Any]:
        """Undo the last mark."""
        return teach(lambda taught: taught.undo(name))

    @routes.get("/{name}/next")
    def proposals(name: _Name, count: _Count = 10) -> list[dict[str, Any]]:
        """Moments to mark next, each with why it is proposed; a mark of it says the same."""
        return teach(lambda taught: taught.proposals(name, count))

    @routes.get("/{name}/found")
    def found(name: _Name, count: _Count = 50) -> list[dict[str, Any]]:
        """Moments that the class is surest of."""
        return teach(lambda taught: taught.ranked(name, count))

    @routes.get("/{name}/marks", response_class=Response)
    def marks_file(name: _Name, format: ExportFormat = "csv") -> Response:  # noqa: A002 (name of a parameter)
        """Marks as CSV, or as a selection table of Raven."""
        content = teach(lambda taught: taught.marks_file(name, format))
        file, kind = _FILES[format]
        headers = {"content-disposition": f'attachment; filename="{file}"'}
        return Response(content, media_type=kind, headers=headers)

    return routes
