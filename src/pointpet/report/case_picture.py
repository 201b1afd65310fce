"""The picture of one case: both MIPs with activation map, truth, prediction and peak, as a small PNG.

Drawn with Pillow: a plotting library takes ten times as long, and a study has a picture for every method and case.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from skimage.measure import find_contours

from pointpet.core import MipPair, Plane, Prediction, to_picture

SUV_WINDOW = 7.0
"""SUV shown black; the window most readers use for FDG."""

TRUTH_COLOUR = (0, 150, 94)
PREDICTION_COLOUR = (197, 0, 110)
MAP_COLOUR = (240, 130, 20)
PEAK_COLOUR = (20, 20, 20)
"""Green and magenta differ in lightness and in line style too, so that no reader depends on their hue."""

_MAX_HEIGHT, _MAX_WIDTH = 660, 900
_GAP, _MARGIN, _LEGEND = 14, 10, 30
_OVERSAMPLING = 2
_LINE_WIDTH = 3
_MAP_OPACITY = 0.55
_MAP_FLOOR = 0.1
"""Map values below it are not drawn: a faint haze over the whole body hides the image and says nothing."""

_SIDES = {Plane.CORONAL: ("R", "L"), Plane.SAGITTAL: ("A", "P")}

Pictures = Mapping[Plane, NDArray[np.bool_]]


def render_case_picture(
    mips: MipPair,
    prediction: Prediction,
    predicted_pictures: Pictures,
    truth_pictures: Pictures,
) -> bytes:
    """Draw a case as PNG: coronal and sagittal side by side, head up, inverted grey, SUV 0 to 7.

    Args:
        mips: the views, at the pixel size of the prediction's maps.
        prediction: maps and peaks are taken from here.
        predicted_pictures: plane to (U, Z) bool, the predicted mask as projected, drawn as a dashed magenta line.
        truth_pictures: plane to (U, Z) bool, drawn as a green line; empty where there is none.

    Returns:
        A PNG file's bytes, with a palette, at most about 900 x 700 pixels. It names no case.
    """
    scale = _scale(mips)
    panels = [
        _panel(
            mips,
            prediction,
            {"truth": truth_pictures.get(plane), "prediction": predicted_pictures.get(plane)},
            plane,
            scale,
        )
        for plane in mips.planes
    ]
    width = sum(panel.width for panel in panels) + _GAP * (len(panels) - 1) + 2 * _MARGIN
    shown = _shown(mips, prediction, truth_pictures, predicted_pictures)
    sheet = Image.new("RGB", (max(width, 80 + 100 * len(shown)), panels[0].height + _MARGIN + _LEGEND), "white")
    left = _MARGIN
    for panel in panels:
        sheet.paste(panel, (left, _MARGIN))
        left += panel.width + _GAP
    _draw_legend(sheet, shown)
    packed = io.BytesIO()
    sheet.quantize(palette=_palette(), dither=Image.Dither.NONE).save(packed, "PNG")
    return packed.getvalue()


@cache
def _palette() -> Image.Image:
    """The colours that a sheet can hold: greys, greys under the activation map, and the lines.

    Fixed, since a palette fitted to a sheet gives the few pixels of a thin line away to greys, and takes longer.
    """
    colours = [np.repeat(np.linspace(0, 255, 64)[:, None], 3, axis=1)]
    under_map = np.repeat(np.linspace(0, 255, 20)[:, None], 3, axis=1)
    opacities = np.linspace(0, _MAP_OPACITY, 8)[1:]
    colours += [(1 - opacity) * under_map + opacity * np.array(MAP_COLOUR) for opacity in opacities]
    for line in (TRUTH_COLOUR, PREDICTION_COLOUR):
        # Lines are smoothed towards what lies under them: white, mid-grey, black.
        colours += [np.array([line])] + [np.array([line]) * 0.6 + 0.4 * shade for shade in (0.0, 128.0, 255.0)]
    image = Image.new("P", (1, 1))
    image.putpalette(np.concatenate(colours).round().astype(np.uint8).tobytes())
    return image


def _scale(mips: MipPair) -> float:
    """Screen pixels per image pixel: as large as the height and both views' width allow."""
    shapes = [mips.picture(plane).shape for plane in mips.planes]
    room = _MAX_WIDTH - _GAP * (len(shapes) - 1)
    return min(_MAX_HEIGHT / max(height for height, _ in shapes), room / sum(width for _, width in shapes))


def _panel(
    mips: MipPair,
    prediction: Prediction,
    masks: Mapping[str, NDArray[np.bool_] | None],
    plane: Plane,
    scale: float,
) -> Image.Image:
    """One view with its overlays; all views of a case get one height."""
    picture = mips.picture(plane)
    tallest = max(mips.picture(view).shape[0] for view in mips.planes)
    size = (max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1))
    large = (size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING)
    image = _blend(picture, prediction, plane).resize(large, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    factor = scale * _OVERSAMPLING
    for name, colour, dash in (("truth", TRUTH_COLOUR, None), ("prediction", PREDICTION_COLOUR, 9.0)):
        mask = masks[name]
        if mask is not None and mask.any():
            _draw_outline(draw, to_picture(mask), factor, colour, dash)
    _draw_peak(draw, prediction, plane, factor)
    panel = Image.new("RGB", (size[0], round(tallest * scale)), "white")
    panel.paste(image.resize(size, Image.Resampling.BOX), (0, 0))
    _draw_sides(panel, plane)
    return panel


def _blend(picture: NDArray[np.float32], prediction: Prediction, plane: Plane) -> Image.Image:
    """Inverted grey with the activation map as a translucent warm layer, at the image's own resolution."""
    grey = 255.0 * (1.0 - np.clip(picture / SUV_WINDOW, 0.0, 1.0))
    colour = np.repeat(grey[..., None], 3, axis=2)
    if plane in prediction.maps:
        values = to_picture(prediction.maps[plane].values)
        opacity = _MAP_OPACITY * np.clip((values - _MAP_FLOOR) / (1.0 - _MAP_FLOOR), 0.0, 1.0)[..., None]
        colour = (1.0 - opacity) * colour + opacity * np.array(MAP_COLOUR)
    return Image.fromarray(colour.round().astype(np.uint8))


def _draw_outline(
    draw: ImageDraw.ImageDraw,
    mask: NDArray[np.bool_],
    factor: float,
    colour: tuple[int, int, int],
    dash: float | None,
) -> None:
    """Outline of a picture's mask (H, W); `factor` screen pixels per image pixel; dashes of that many pixels."""
    padded = np.pad(mask, 1).astype(np.float32)
    for contour in find_contours(padded, 0.5):
        # A pixel's centre lies at +0.5 on the screen; the padding moved everything by 1.
        points = (contour[:, ::-1] - 0.5) * factor
        if dash is None:
            draw.line([tuple(point) for point in points], fill=colour, width=_LINE_WIDTH * _OVERSAMPLING, joint="curve")
            continue
        for piece in _dashes(points, dash * _OVERSAMPLING):
            draw.line([tuple(point) for point in piece], fill=colour, width=_LINE_WIDTH * _OVERSAMPLING)


def _dashes(points: NDArray[np.float64], length: float) -> list[NDArray[np.float64]]:
    """Cut a closed line (N, 2) into dashes of `length`, gaps half as long, whatever its own points are."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    starts = np.arange(0.0, along[-1], 1.5 * length)
    pieces = []
    for start in starts:
        stations = np.linspace(start, min(start + length, along[-1]), 5)
        pieces.append(np.stack([np.interp(stations, along, points[:, axis]) for axis in (0, 1)], axis=1))
    return pieces


def _draw_peak(draw: ImageDraw.ImageDraw, prediction: Prediction, plane: Plane, factor: float) -> None:
    activation = prediction.maps.get(plane)
    if activation is None or activation.values.max() <= 0:
        return
    u, z = activation.peak_cell
    width, height = activation.values.shape
    column = width - 1 - u
    x, y = (column + 0.5) * factor, (height - 1 - z + 0.5) * factor
    _draw_cross(draw, x, y, 11 * _OVERSAMPLING, _OVERSAMPLING)


def _draw_cross(draw: ImageDraw.ImageDraw, x: float, y: float, arm: float, stroke: int) -> None:
    """A cross that is open in the middle, so that it hides no small lesion."""
    gap = 0.4 * arm
    for colour, width, halo in (((255, 255, 255), 4 * stroke, stroke), (PEAK_COLOUR, 2 * stroke, 0)):
        for sign in (-1, 1):
            inner, outer = sign * (gap - halo), sign * (arm + halo)
            draw.line([(x + inner, y), (x + outer, y)], fill=colour, width=width)
            draw.line([(x, y + inner), (x, y + outer)], fill=colour, width=width)


def _draw_sides(panel: Image.Image, plane: Plane) -> None:
    draw, font = ImageDraw.Draw(panel), ImageFont.load_default(13)
    for side, x in zip(_SIDES[plane], (5, panel.width - 14), strict=True):
        draw.text((x, 3), side, fill=(110, 110, 110), font=font)


def _shown(mips: MipPair, prediction: Prediction, truth: Pictures, predicted: Pictures) -> list[str]:
    """What the legend must explain: only what is drawn."""
    maps = [activation for plane, activation in prediction.maps.items() if plane in mips.planes]
    drawn = {
        "truth": any(np.any(truth[plane]) for plane in mips.planes if plane in truth),
        "prediction": any(np.any(predicted[plane]) for plane in mips.planes if plane in predicted),
        "activation": bool(maps),
        "peak": any(activation.values.max() > 0 for activation in maps),
    }
    return [name for name, present in drawn.items() if present]


def _draw_legend(sheet: Image.Image, shown: list[str]) -> None:
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    x, y = float(_MARGIN), sheet.height - _LEGEND / 2
    for name in shown:
        if name == "truth":
            draw.line([(x, y), (x + 20, y)], fill=TRUTH_COLOUR, width=3)
        elif name == "prediction":
            for start in (x, x + 12):
                draw.line([(start, y), (start + 8, y)], fill=PREDICTION_COLOUR, width=3)
        elif name == "activation":
            faint = tuple(round(255 - _MAP_OPACITY * (255 - channel)) for channel in MAP_COLOUR)
            draw.rectangle([x, y - 6, x + 20, y + 6], fill=faint)
        else:
            _draw_cross(draw, x + 10, y, 8, 1)
        draw.text((x + 26, y), name, fill=(60, 60, 60), font=font, anchor="lm")
        x += 26 + draw.textlength(name, font=font) + 18
    draw.text((sheet.width - _MARGIN, y), "SUV 0-7", fill=(110, 110, 110), font=font, anchor="rm")
