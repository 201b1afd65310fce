// What the page shows of one case: pictures with their outlines, slices, figures and words.

import {
  actions, current, finished, grey, hasPoint, history, isLeft, lesionCount, neighbour, pictures, session, slices, view,
} from "./annotate-state.js";
import { drawSides, element, flagWords, layoutSideBySide, notice, number, pixelOf } from "./page.js";
import { accentOnImage, drawOutlines, drawCross, drawMarker } from "./picture.js";
import { close } from "./annotate-saving.js";
import { getPacked } from "./requests.js";

const SLICE_MM = 160; // field of view of the three slices

const outlines = new Map(); // case id and point -> its outline, figures and slices, or the promise of them

function lesionKey(id, point) { return `${id} ${point.join(" ")}`; }

function lesionAt(id, point) {
  const key = lesionKey(id, point);
  if (!outlines.has(key)) {
    const [x, y, z] = point;
    const entry = { value: null };
    entry.promise = getPacked(`/api/cases/${id}/lesion?x=${x}&y=${y}&z=${z}`).then((found) => { entry.value = found; });
    entry.promise.catch(() => outlines.delete(key));
    outlines.set(key, entry);
    for (const old of outlines.keys()) {
      if (outlines.size <= 60) break;
      outlines.delete(old);
    }
  }
  return outlines.get(key);
}

function refreshLesions() {
  const item = current();
  const { id } = item;
  if (!item.has_volume || !view.mips) { view.lesions = []; return; }
  view.lesions = item.points.map((point) => lesionAt(id, point));
  const wanted = view.lesions.filter((entry) => !entry.value);
  for (const entry of wanted) {
    entry.promise.then(() => session.current === id && showLesion(), (error) => {
      if (session.current === id) notice(`No outline: ${error.message}`, close);
    });
  }
}

function showLesion() {
  const item = current();
  const found = view.lesions[view.lesion]?.value;
  const point = item.points[view.lesion];
  document.querySelector(".slices").dataset.empty = String(!found);
  for (const [name, slice] of Object.entries(slices)) {
    if (!found) { slice.clear(); continue; }
    const pixel = pixelOf(name, point, found.header.frame);
    slice.zoom = 1;
    slice.centre = pixel;
    slice.show(found.arrays[name]);
  }
  if (found) layout();
  showFacts(found?.header, point);
  draw();
}

function showFacts(found, point) {
  const rows = [];
  const lesion = found?.lesion;
  if (found) {
    rows.push(["SUVmax", lesion ? number(lesion.suv_max) : "–", "", "large"]);
    rows.push(["SUVpeak", lesion ? number(lesion.suv_peak) : "–", ""]);
    rows.push(["MTV", lesion ? number(lesion.mtv_ml) : "–", "mL"]);
    rows.push(["TLG", lesion ? number(lesion.tlg_g) : "–", "g"]);
    rows.push(["At click", number(found.suv), ""]);
  }
  const list = element("facts");
  list.replaceChildren(...rows.flatMap(([name, value, unit, kind]) => {
    const term = document.createElement("dt");
    const text = document.createElement("dd");
    term.textContent = name;
    text.textContent = unit ? `${value} ${unit}` : value;
    if (kind) { text.className = kind; }
    return [term, text];
  }));
  const flags = found?.flags ?? [];
  element("flags").hidden = !flags.length;
  element("flags").textContent = flags.map(flagWords).join(". ");
}

export function markedPixels(plane) {
  const item = current();
  if (item.points.length && view.mips.header.frame.origin_mm) return item.points.map((point) => pixelOf(plane, point, view.mips.header.frame));
  return item.pixels[plane] ?? [];
}

export function draw() {
  Object.values(pictures).forEach((picture) => picture.draw());
  Object.values(slices).forEach((slice) => slice.draw());
}

export function drawOnMip(plane, context, place, picture) {
  if (!view.mips || !session.current) return;
  const colour = accentOnImage();
  drawSides(context, plane, picture.width, grey.inverted);
  const marked = markedPixels(plane);
  if (session.outline) {
    drawOutlines(context, place, view.lesions.map((entry) => ({ contours: entry.value?.header.mips[plane], colour })));
  }
  const several = marked.length > 1;
  marked.forEach((pixel, index) => {
    const active = index === view.lesion;
    const at = place(...pixel);
    if (active && !view.pressed) drawCross(context, at, picture.width, picture.height, 0.75, colour);
    if (!active || !session.outline || !view.lesions[index]?.value) {
      drawMarker(context, at, several ? String(index + 1) : "", colour, active);
    } else if (several) drawMarker(context, at, String(index + 1), colour, active);
  });
  if (view.pressed) {
    const { plane: from, row, column } = view.pressed;
    if (from === plane) drawCross(context, place(row, column), picture.width, picture.height, 0.75, colour);
  }
}

export function drawOnSlice(name, context, place, slice) {
  const found = view.lesions[view.lesion]?.value;
  const point = current()?.points[view.lesion];
  if (!found || !point || !slice.image) return;
  if (session.outline) drawOutlines(context, place, [{ contours: found.header.slices[name], colour: accentOnImage() }]);
  drawCross(context, place(...pixelOf(name, point, found.header.frame)), slice.width, slice.height, 0.55, accentOnImage());
}

export function hover(plane, row, column) {
  const value = row === null ? null : pictures[plane].valueAt(row, column);
  element(`${plane}-value`).textContent = value === null ? "" : `SUV ${number(value)}`;
}

export function showCase() {
  const item = current();
  element("case-name").textContent = item.id;
  refreshLesions();
  showHint();
  showLabels(item);
  showLesionChips(item);
  element("undo").disabled = !history.length;
  element("previous").disabled = !neighbour(-1);
  element("next").disabled = !neighbour(1);
  showLesion();
}

export function showHint() {
  const item = current();
  const place = `${session.cases.indexOf(item) + 1} of ${session.cases.length}`;
  let text = "Click the tumour";
  if (view.unreadable) text = "This scan cannot be read; the other cases go on";
  else if (view.confirmsEmpty) text = "No point yet. Enter again accepts the case as free of lesions";
  else if (view.lesion > 0 && view.lesion >= lesionCount(item)) text = `Click lesion ${view.lesion + 1}`;
  else if (item.done && !session.cases.some(isLeft)) text = finished();
  else if (item.done && !hasPoint(item)) text = "Done, free of lesions";
  else if (item.done) text = "Done";
  else if (hasPoint(item)) text = item.has_volume ? "Enter accepts; a click on the other view corrects the depth" : "Enter accepts";
  else if (view.mips && !item.has_volume) text = "Ready-made pictures: click the tumour in each view";
  element("case-hint").textContent = `${place} · ${text}`;
}

function chip(text, { key = "", pressed = false, title = "", run }) {
  const button = document.createElement("button");
  button.textContent = text;
  if (key) {
    const mark = document.createElement("kbd");
    mark.textContent = key;
    button.append(" ", mark);
  }
  button.setAttribute("aria-pressed", String(pressed));
  if (title) button.title = title;
  button.addEventListener("click", run);
  return button;
}

function showLabels(item) {
  const buttons = session.classes.map((label, index) =>
    chip(label, { key: index < 9 ? String(index + 1) : "", pressed: item.label === label, run: () => actions.setLabel(label) }));
  const add = chip("+", { title: "New class", run: () => { element("new-label").hidden = false; element("new-label").focus(); } });
  add.setAttribute("aria-label", "New class");
  add.removeAttribute("aria-pressed");
  element("labels").replaceChildren(...buttons, add);
}

function showLesionChips(item) {
  const count = lesionCount(item);
  const buttons = [];
  for (let index = 0; index < Math.max(count, view.lesion + 1); index += 1) {
    const waits = index >= count;
    const text = waits && count === 0 ? "none yet" : `${index + 1}${waits ? " …" : ""}`;
    if (waits && count === 0) {
      const none = document.createElement("span");
      none.className = "none";
      none.textContent = text;
      buttons.push(none);
    } else {
      const button = chip(text, { pressed: index === view.lesion, run: () => { view.lesion = index; view.placed = { from: null }; showCase(); } });
      button.setAttribute("aria-label", waits ? `Lesion ${index + 1}, click it` : `Lesion ${index + 1}`);
      buttons.push(button);
    }
  }
  if (count && view.lesion < count) buttons.push(chip("Further", { key: "L", run: actions.addLesion }), chip("Remove", { key: "Del", run: actions.removeLesion }));
  buttons.slice(-2).forEach((button) => button.title === "" && button.removeAttribute?.("title"));
  element("lesions").replaceChildren(...buttons);
}

export function layout() {
  layoutSideBySide(element("mips"), Object.values(pictures));
  const size = document.querySelector(".slices canvas").clientWidth;
  for (const slice of Object.values(slices)) {
    if (slice.image) {
      const [rows, columns] = slice.image.shape;
      const pixel = view.mips.header.frame.pixel_mm;
      slice.baseZoom = size / (SLICE_MM / pixel) / Math.min(size / columns, size / rows);
    }
    slice.resize(size, size);
  }
}
