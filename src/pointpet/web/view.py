"""The result viewer's requests."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, FastAPI, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from pointpet.core import Plane
from pointpet.pipeline.browse import (
    Outlines,
    frame_grid,
    frame_of,
    mask_contours,
    point_of_click,
    slice_contours,
    slices_at,
    thumbnail,
)
from pointpet.pipeline.results import ResultFolder, Review, Verdict
from pointpet.web.annotate import World
from pointpet.web.application import UnknownCaseError, looked_up, new_application, packed, without_nan

Coordinate = Annotated[float, Query(allow_inf_nan=False, ge=-1e5, le=1e5)]


class ReviewBody(BaseModel):
    """A verdict; see `Review`."""

    model_config = ConfigDict(extra="forbid")

    verdict: Verdict
    point: World | None = None
    comment: Annotated[str, Field(max_length=2000)] = ""


class KnownResults:
    """The methods and cases that a folder of results holds: a request names one of them, never a path."""

    def __init__(self, folder: ResultFolder) -> None:
        self._cases = {method: {entry["id"] for entry in folder.entries(method)} for method in folder.methods}
        self._scans = folder.scans.cases

    def require(self, method: str, case_id: str | None = None) -> None:
        """Stop unless the method, and the case where one is named, are there.

        Raises:
            UnknownCaseError: they are not.
        """
        cases = looked_up(self._cases, method)
        if case_id is not None and case_id not in cases:
            raise UnknownCaseError

    def require_images(self, case_id: str) -> None:
        """Stop unless the case's scan is at hand.

        Raises:
            UnknownCaseError: it is not.
        """
        looked_up(self._scans, case_id)


def view_application(folder: ResultFolder) -> FastAPI:
    """The application for one folder of results."""
    app = new_application("view.html")
    known = KnownResults(folder)
    for routes in (_result_routes, _picture_routes, _scan_routes):
        app.include_router(routes(folder, known))
    return app


def _result_routes(folder: ResultFolder, known: KnownResults) -> APIRouter:
    """What was found, by method and case, and a reader's verdict on it."""
    router = APIRouter(prefix="/api/results")

    @router.get("")
    def results() -> dict[str, Any]:
        return {"name": folder.folder.resolve().name, "study": folder.is_study, "methods": folder.methods}

    @router.get("/{method}")
    def cases(method: str) -> dict[str, Any]:
        known.require(method)
        return without_nan({"cases": folder.entries(method)})

    @router.get("/{method}/{case_id}")
    def case(method: str, case_id: str) -> dict[str, Any]:
        known.require(method, case_id)
        return without_nan(folder.detail(method, case_id))

    @router.get("/{method}/{case_id}/picture")
    def drawn(method: str, case_id: str) -> Response:
        known.require(method, case_id)
        content = folder.picture(method, case_id)
        if content is None:
            raise UnknownCaseError
        return Response(content, media_type="image/png")

    @router.put("/{method}/{case_id}/review")
    def review(method: str, case_id: str, body: ReviewBody) -> dict[str, Any]:
        known.require(method, case_id)
        return folder.save(method, case_id, Review(body.verdict, body.point, body.comment.strip()))

    return router


def _picture_routes(folder: ResultFolder, known: KnownResults) -> APIRouter:
    """What is drawn of a case's result: over the MIPs, on slices, turning, in 3D."""
    router = APIRouter(prefix="/api/results/{method}/{case_id}")

    @router.get("/overlays")
    def overlays(method: str, case_id: str) -> Response:
        known.require(method, case_id)
        known.require_images(case_id)
        mips = folder.scans.mips(case_id)
        contours = {name: mask_contours(mask, mips) for name, mask in folder.masks(method, case_id).items()}
        maps = folder.maps(method, case_id)
        levels = {plane.value: found.levels for plane, found in maps.items()}
        about = {plane.value: {"class": found.class_name, "extent": found.extent} for plane, found in maps.items()}
        return packed({"contours": contours, "maps": about}, {}, levels)

    @router.get("/slices")
    def slices(method: str, case_id: str, x: Coordinate, y: Coordinate, z: Coordinate) -> Response:
        known.require(method, case_id)
        known.require_images(case_id)
        scan, point = folder.scans.scan(case_id), (x, y, z)
        cells = frame_grid(scan.mips)
        pictures = slices_at(scan, point, cells)
        masks = folder.masks(method, case_id)
        contours = {name: slice_contours(mask, cells, point) for name, mask in masks.items()}
        return packed({"contours": contours, "frame": frame_of(scan.mips)}, pictures)

    @router.get("/rotation")
    def rotation(method: str, case_id: str) -> Response:
        known.require(method, case_id)
        known.require_images(case_id)
        pictures, about = folder.rotation(case_id)
        masks = folder.rotating_masks(method, case_id)
        return packed(about, {"mips": pictures}, masks)

    @router.get("/surfaces")
    def surfaces(method: str, case_id: str) -> Response:
        known.require(method, case_id)
        return packed({}, {}, folder.surfaces(method, case_id))

    return router


def _scan_routes(folder: ResultFolder, known: KnownResults) -> APIRouter:
    """A case's scan, and the outline about a point of it."""
    router = APIRouter(prefix="/api/cases/{case_id}")
    outlines = Outlines()

    @router.get("/mips")
    def mips(case_id: str, later: BackgroundTasks) -> Response:
        known.require_images(case_id)
        pair = folder.scans.mips(case_id)
        later.add_task(outlines.warm_up, lambda: folder.scans.scan(case_id))
        return packed({"id": case_id, "frame": frame_of(pair)}, {p.value: pair.picture(p) for p in pair.planes})

    @router.get("/thumbnail")
    def small(case_id: str) -> Response:
        known.require_images(case_id)
        return Response(thumbnail(folder.scans.mips(case_id)), media_type="image/png")

    @router.get("/point")
    def point(case_id: str, plane: Plane, row: Coordinate, column: Coordinate) -> dict[str, Any]:
        known.require_images(case_id)
        return {"point": point_of_click(folder.scans.scan(case_id), plane, row, column).round(2).tolist()}

    @router.get("/lesion")
    def lesion(case_id: str, x: Coordinate, y: Coordinate, z: Coordinate) -> Response:
        known.require_images(case_id)
        return packed(*outlines.get(folder.scans.scan(case_id), (x, y, z)))

    return router
