"""The annotation page's requests."""

from __future__ import annotations

import time
from threading import Lock
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from pointpet.core import Plane
from pointpet.pipeline.annotate import Annotation, AnnotationSession, CaseState, Click, StaleError, describe
from pointpet.pipeline.browse import frame_of, thumbnail
from pointpet.web.application import UnknownCaseError, new_application, packed, without_nan

PRESENCE_S = 12.0
"""A window that has not called for so long is closed."""

MOST_POINTS = 200

Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e5, le=1e5)]
World = tuple[Number, Number, Number]
Pixel = tuple[Number, Number]


class PlaceBody(BaseModel):
    """A place on a MIP."""

    model_config = ConfigDict(extra="forbid")

    plane: Plane
    row: Number
    column: Number


class ClickBody(PlaceBody):
    """A click on a MIP; see `Click`."""

    revision: int
    lesion: Annotated[int, Field(ge=0, lt=MOST_POINTS)] = 0
    keeps_point: bool = False


class AnnotationBody(BaseModel):
    """All that is said of a case; see `Annotation`."""

    model_config = ConfigDict(extra="forbid")

    revision: int
    label: Annotated[str, Field(max_length=64)]
    points: Annotated[list[World], Field(max_length=MOST_POINTS)]
    pixels: dict[Plane, Annotated[list[Pixel], Field(max_length=MOST_POINTS)]]
    done: bool
    comment: Annotated[str, Field(max_length=2000)]
    seconds: Annotated[float, Field(ge=0, le=86400)] | None = None


class PresenceBody(BaseModel):
    """A window's own mark, and whether it says goodbye."""

    model_config = ConfigDict(extra="forbid")

    window: Annotated[str, Field(pattern=r"^[a-z0-9]{8,32}$")]
    closing: bool = False


class Windows:
    """The windows that show the page now, so that a second person is told of the first."""

    def __init__(self, presence_s: float = PRESENCE_S) -> None:
        self._seen: dict[str, float] = {}
        self._lock = Lock()
        self._presence_s = presence_s

    def others(self, window: str) -> int:
        """Note that `window` is open, and count the others."""
        now = time.monotonic()
        with self._lock:
            self._seen[window] = now
            self._seen = {name: at for name, at in self._seen.items() if now - at < self._presence_s}
            return len(self._seen.keys() - {window})

    def close(self, window: str) -> None:
        """Forget a window."""
        with self._lock:
            self._seen.pop(window, None)


def annotate_application(session: AnnotationSession) -> FastAPI:
    """The application for one session."""
    app = new_application("annotate.html")

    @app.exception_handler(StaleError)
    def stale(request: Request, error: StaleError) -> JSONResponse:
        state = session.state(request.path_params["case_id"])
        content = {"code": error.code, "message": str(error), "case": describe(state)}
        return JSONResponse(without_nan(content), status_code=409)

    for routes in (_reading_routes, _saving_routes):
        app.include_router(routes(session))
    app.include_router(_presence_routes(Windows()))
    return app


def _known(session: AnnotationSession, case_id: str) -> CaseState:
    try:
        return session.state(case_id)
    except KeyError:
        raise UnknownCaseError from None


def _reading_routes(session: AnnotationSession) -> APIRouter:
    """What the page shows: the cohort, a case's pictures, the outline about a point."""
    router = APIRouter(prefix="/api")

    @router.get("/cohort")
    def cohort() -> dict[str, Any]:
        return without_nan(
            {
                "name": session.cohort_path.name,
                "folder": session.cohort_path.resolve().parent.name,
                "classes": session.classes,
                "start": session.start,
                "cases": [describe(state) for state in session.states()],
            }
        )

    @router.get("/cases/{case_id}/mips")
    def mips(case_id: str, later: BackgroundTasks) -> Response:
        _known(session, case_id)
        scan = session.scans.scan(case_id)
        later.add_task(session.outlines.warm_up, lambda: scan)
        pictures = {plane.value: scan.mips.picture(plane) for plane in scan.mips.planes}
        return packed({"id": case_id, "frame": frame_of(scan.mips), "warnings": list(scan.warnings)}, pictures)

    @router.get("/cases/{case_id}/thumbnail")
    def small(case_id: str) -> Response:
        _known(session, case_id)
        return Response(thumbnail(session.scans.mips(case_id)), media_type="image/png")

    @router.get("/cases/{case_id}/lesion")
    def lesion(
        case_id: str,
        x: Annotated[float, Query(allow_inf_nan=False)],
        y: Annotated[float, Query(allow_inf_nan=False)],
        z: Annotated[float, Query(allow_inf_nan=False)],
    ) -> Response:
        _known(session, case_id)
        return packed(*session.outlines.get(session.scans.scan(case_id), (x, y, z)))

    @router.post("/cases/{case_id}/foresee", status_code=204)
    def foresee(case_id: str, body: PlaceBody) -> None:
        _known(session, case_id)
        session.foresee(case_id, body.plane, body.row, body.column)

    return router


def _saving_routes(session: AnnotationSession) -> APIRouter:
    """What the page changes: clicks, and all that is said of a case."""
    router = APIRouter(prefix="/api/cases/{case_id}")

    @router.post("/click")
    def click(case_id: str, body: ClickBody) -> dict[str, Any]:
        _known(session, case_id)
        made = Click(body.plane, body.row, body.column, body.lesion, body.keeps_point)
        return without_nan(describe(session.click(case_id, made, body.revision)))

    @router.put("/annotation")
    def annotation(case_id: str, body: AnnotationBody) -> dict[str, Any]:
        _known(session, case_id)
        said = Annotation(
            label=body.label.strip(),
            points_mm=tuple(body.points),
            pixel_points={plane: tuple(points) for plane, points in body.pixels.items()},
            done=body.done,
            seconds=body.seconds,
            comment=body.comment.strip(),
        )
        return without_nan(describe(session.save(case_id, said, body.revision)))

    return router


def _presence_routes(windows: Windows) -> APIRouter:
    """Who else has the page open."""
    router = APIRouter(prefix="/api")

    @router.post("/presence")
    def presence(body: PresenceBody) -> dict[str, int]:
        if body.closing:
            windows.close(body.window)
            return {"others": 0}
        return {"others": windows.others(body.window)}

    return router
