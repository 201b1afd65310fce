"""The result viewer's requests."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import BackgroundTasks, FastAPI, Query, Response
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


def view_application(folder: ResultFolder) -> FastAPI:
    """The application for one folder of results."""
    app = new_application("view.html")
    outlines = Outlines()
    known = {method: {entry["id"] for entry in folder.entries(method)} for method in folder.methods}

    def require(method: str, case_id: str) -> None:
        if case_id not in looked_up(known, method):
            raise UnknownCaseError

    def require_images(case_id: str) -> None:
        looked_up(folder.scans.cases, case_id)

    @app.get("/api/results")
    def results() -> dict[str, Any]:
        return {"name": folder.folder.resolve().name, "study": folder.is_study, "methods": folder.methods}

    @app.get("/api/results/{method}")
    def cases(method: str) -> dict[str, Any]:
        looked_up(known, method)
        return without_nan({"cases": folder.entries(method)})

    @app.get("/api/results/{method}/{case_id}")
    def case(method: str, case_id: str) -> dict[str, Any]:
        require(method, case_id)
        return without_nan(folder.detail(method, case_id))

    @app.get("/api/results/{method}/{case_id}/picture")
    def drawn(method: str, case_id: str) -> Response:
        require(method, case_id)
        content = folder.picture(method, case_id)
        if content is None:
            raise UnknownCaseError
        return Response(content, media_type="image/png")

    @app.get("/api/results/{method}/{case_id}/overlays")
    def overlays(method: str, case_id: str) -> Response:
        require(method, case_id)
        require_images(case_id)
        mips = folder.scans.mips(case_id)
        contours = {name: mask_contours(mask, mips) for name, mask in folder.masks(method, case_id).items()}
        maps = folder.maps(method, case_id)
        levels = {plane.value: found.levels for plane, found in maps.items()}
        about = {plane.value: {"class": found.class_name, "extent": found.extent} for plane, found in maps.items()}
        return packed({"contours": contours, "maps": about}, {}, levels)

    @app.get("/api/results/{method}/{case_id}/slices")
    def slices(method: str, case_id: str, x: Coordinate, y: Coordinate, z: Coordinate) -> Response:
        require(method, case_id)
        require_images(case_id)
        scan, point = folder.scans.scan(case_id), (x, y, z)
        cells = frame_grid(scan.mips)
        pictures = slices_at(scan, point, cells)
        masks = folder.masks(method, case_id)
        contours = {name: slice_contours(mask, cells, point) for name, mask in masks.items()}
        return packed({"contours": contours, "frame": frame_of(scan.mips)}, pictures)

    @app.get("/api/results/{method}/{case_id}/rotation")
    def rotation(method: str, case_id: str) -> Response:
        require(method, case_id)
        require_images(case_id)
        pictures, about = folder.rotation(case_id)
        masks = folder.rotating_masks(method, case_id)
        return packed(about, {"mips": pictures}, masks)

    @app.get("/api/results/{method}/{case_id}/surfaces")
    def surfaces(method: str, case_id: str) -> Response:
        require(method, case_id)
        return packed({}, {}, folder.surfaces(method, case_id))

    @app.put("/api/results/{method}/{case_id}/review")
    def review(method: str, case_id: str, body: ReviewBody) -> dict[str, Any]:
        require(method, case_id)
        return folder.save(method, case_id, Review(body.verdict, body.point, body.comment.strip()))

    @app.get("/api/cases/{case_id}/mips")
    def mips(case_id: str, later: BackgroundTasks) -> Response:
        require_images(case_id)
        pair = folder.scans.mips(case_id)
        later.add_task(outlines.warm_up, lambda: folder.scans.scan(case_id))
        return packed({"id": case_id, "frame": frame_of(pair)}, {p.value: pair.picture(p) for p in pair.planes})

    @app.get("/api/cases/{case_id}/thumbnail")
    def small(case_id: str) -> Response:
        require_images(case_id)
        return Response(thumbnail(folder.scans.mips(case_id)), media_type="image/png")

    @app.get("/api/cases/{case_id}/point")
    def point(case_id: str, plane: Plane, row: Coordinate, column: Coordinate) -> dict[str, Any]:
        require_images(case_id)
        return {"point": point_of_click(folder.scans.scan(case_id), plane, row, column).round(2).tolist()}

    @app.get("/api/cases/{case_id}/lesion")
    def lesion(case_id: str, x: Coordinate, y: Coordinate, z: Coordinate) -> Response:
        require_images(case_id)
        return packed(*outlines.get(folder.scans.scan(case_id), (x, y, z)))

    return app
