// The annotation page: one click per patient. The server saves each change before it confirms it; this file draws.

import { getJson, getPacked, getPicture, RequestError, sendJson } from "./requests.js";
import { accentOnImage, drawContours, drawCross, drawMarker, Picture, Window } from "./picture.js";
import {
  connectWindow, drawSides, element, flagWords, isTyping, layoutSideBySide, movedTo, notice, number, pixelOf,
  readThumbnails, releaseFocusAfterClicks, toggleTheme,
} from "./page.js";

const KEPT_CASES = 12;
const NEAR_MM = 25; // a click on the other view this near in height corrects the depth; farther away it starts anew
const SLICE_MM = 160; // field of view of the three slices
const IDLE_MS = 600; // thumbnails are read only while nobody works
const PRESENCE_MS = 4000;

const session = { cases: [], byId: new Map(), classes: [], current: null, filter: "all", outline: true };
const view = { lesion: 0, placedFrom: null, mips: null, lesions: [], shownAt: 0, hiddenMs: 0, confirmsEmpty: false };
const history = []; // { id, before }
const loaded = new Map(); // case id -> promise of its pictures
const outlines = new Map(); // case id and point -> promise of outline, figures and slices

const grey = new Window(7);
const pictures = {};
const slices = {};

// ---------------------------------------------------------------- state

const current = () => session.byId.get(session.current);
const hasPoint = (item) => item.points.length > 0 || Object.values(item.pixels).some((points) => points.length > 0);
const isLeft = (item) => !item.done && !hasPoint(item);
const status = (item) => (item.done ? "done" : hasPoint(item) ? "point" : "left");
const said = ({ label, points, pixels, done, comment, seconds }) =>
  structuredClone({ label, points, pixels, done, comment, seconds });

function shown() {
  const keeps = { all: () => true, left: isLeft, done: (item) => item.done }[session.filter];
  return session.cases.filter((item) => keeps(item) || item.id === session.current);
}

// ---------------------------------------------------------------- saving: one after the other, in the order made

let saving = Promise.resolve();
let pending = 0;

function queue(work) {
  pending += 1;
  showState("saving");
  const done = saving.then(work);
  saving = done.catch(() => {}).finally(() => {
    pending -= 1;
    if (!pending && element("state").dataset.kind === "saving") showState("saved");
  });
  return done;
}

function showState(kind) {
  const words = { saving: "Saving", saved: "Saved", failed: "Not saved" };
  element("state").dataset.kind = kind;
  element("state").textContent = words[kind];
}

function failed(error) {
  showState("failed");
  if (error instanceof RequestError && error.status === 409 && error.content?.case) {
    take(error.content.case);
    notice("This case was changed in another window. What you see is its state now.", close);
    return;
  }
  notice(`Not saved: ${error.message}`, close);
}
const close = { label: "Close", run: () => notice(null) };

// The server's answer becomes the case's state; changes still on their way are drawn on top of it.
function take(state) {
  const item = session.byId.get(state.id);
  item.saved = said(state);
  item.revision = state.revision;
  drawEdits(item);
}

function drawEdits(item) {
  Object.assign(item, structuredClone(item.saved));
  item.edits.forEach((edit) => edit(item));
  refreshItem(item.id);
  refreshProgress();
  if (item.id === session.current) showCase();
}

// `edit(state)` changes what is said of a case. It is drawn at once, and applied to the saved state when its turn to be
// sent comes, so that a click before it is never undone; where it returns false then, nothing is sent.
function change(id, edit, { remembers = true } = {}) {
  const item = session.byId.get(id);
  item.edits.push(edit);
  drawEdits(item);
  const settle = () => { item.edits = item.edits.filter((other) => other !== edit); };
  return queue(async () => {
    const before = item.saved;
    const wanted = structuredClone(before);
    if (edit(wanted) !== false) {
      const state = await sendJson("PUT", `/api/cases/${id}/annotation`, { ...wanted, revision: item.revision });
      if (remembers) history.push({ id, before });
      settle();
      take(state);
    }
  }).catch(failed).finally(() => {
    settle();
    drawEdits(item);
  });
}

// ---------------------------------------------------------------- the work

function clickMip(plane, row, column) {
  const item = current();
  if (!view.mips) return;
  const { id } = item;
  const lesion = view.lesion;
  const keeps = correctsDepth(item, plane, row);
  if (!keeps) view.placedFrom = plane;
  const pressed = { plane, row, column, lesion };
  view.pressed = pressed; // drawn at once; the server's answer follows
  draw();
  queue(async () => {
    const before = item.saved;
    const body = { plane, row, column, lesion, keeps_point: keeps, revision: item.revision };
    const state = await sendJson("POST", `/api/cases/${id}/click`, body);
    history.push({ id, before });
    if (view.pressed === pressed) view.pressed = null;
    take(state);
    if (id === session.current) say(item);
  }).catch((error) => {
    if (view.pressed === pressed) view.pressed = null;
    failed(error);
    draw();
  });
}

// On the view that a point was set from, a click sets it anew; on the other one, near its height, it corrects the depth.
function correctsDepth(item, plane, row) {
  const point = item.points[view.lesion];
  if (!point || !item.has_volume || view.mips.header.frame.origin_mm === null) return false;
  if (plane === (view.placedFrom ?? "coronal")) return false;
  return Math.abs(row - pixelOf(plane, point, view.mips.header.frame)[0]) * view.mips.header.frame.pixel_mm <= NEAR_MM;
}

function clickSlice(name, row, column) {
  const item = current();
  const point = item.points[view.lesion];
  if (!point) return;
  const moved = movedTo(name, point, row, column, view.lesions[view.lesion].value.header.frame);
  const lesion = view.lesion;
  change(item.id, (state) => { state.points = state.points.map((p, i) => (i === lesion ? moved : p)); state.done = false; })
    .then(() => say(item));
}

function say(item) {
  const point = item.points[Math.min(view.lesion, item.points.length - 1)];
  if (point) element("spoken").textContent = `${item.id}: point at ${point.map((v) => v.toFixed(0)).join(", ")} millimetres. Saved.`;
}

function accept() {
  const item = current();
  const marked = hasPoint(item) || view.pressed !== null; // a click on its way counts
  if (!marked && !view.confirmsEmpty && !item.done) {
    view.confirmsEmpty = true;
    showHint();
    return;
  }
  const seconds = item.done ? item.seconds : Math.min((performance.now() - view.shownAt - view.hiddenMs) / 1000, 86400);
  change(item.id, (state) => {
    if (marked && state !== item && !hasPoint(state)) return false; // the click failed: the case is not done
    state.done = true;
    state.seconds = Math.round(seconds * 10) / 10;
    return true;
  });
  const next = nextLeft();
  if (next) open(next.id);
  else element("spoken").textContent = finished();
}

function nextLeft() {
  const { cases } = session;
  const start = cases.indexOf(current());
  for (let step = 1; step < cases.length; step += 1) {
    const item = cases[(start + step) % cases.length];
    if (isLeft(item)) return item;
  }
  return null;
}

function neighbour(step) {
  const list = shown();
  return list[list.indexOf(current()) + step];
}

function go(item) {
  if (item) open(item.id);
}

async function undo() {
  await saving; // what is on its way comes first: it is the last thing done
  const last = history.pop();
  if (!last) return;
  if (last.id !== session.current) open(last.id);
  await change(last.id, (state) => { Object.assign(state, structuredClone(last.before)); }, { remembers: false });
  element("comment").value = current().comment;
}

function setLabel(label) {
  const item = current();
  if (!session.classes.includes(label)) session.classes.push(label);
  const wanted = item.label === label ? "" : label;
  change(item.id, (state) => { state.label = wanted; });
}

function addLesion() {
  const item = current();
  const count = Math.max(lesionCount(item), view.pressed ? view.pressed.lesion + 1 : 0); // one on its way counts
  if (!count) return;
  view.lesion = count;
  view.placedFrom = null;
  showCase();
}

async function removeLesion() {
  const item = current();
  if (view.pressed) await saving; // a point on its way can be removed once it is there
  if (item !== current()) return;
  if (view.lesion >= lesionCount(item)) return;
  const gone = view.lesion;
  change(item.id, (state) => {
    state.points = state.points.filter((_, index) => index !== gone);
    state.pixels = Object.fromEntries(
      Object.entries(state.pixels).map(([plane, points]) => [plane, points.filter((_, index) => index !== gone)]));
    state.done = false;
  });
  view.lesion = Math.max(0, gone - 1);
  showCase();
}

const lesionCount = (item) =>
  Math.max(item.points.length, ...Object.values(item.pixels).map((points) => points.length), 0);

function saveComment() {
  const item = current();
  const text = element("comment").value.trim();
  if (item && text !== item.comment) change(item.id, (state) => { state.comment = text; });
}

function finished() {
  const seconds = session.cases.map((item) => item.seconds).filter((value) => value !== null).sort((a, b) => a - b);
  const median = seconds.length ? `, ${number(seconds[Math.floor(seconds.length / 2)], 2)} s a case` : "";
  return `All ${session.cases.length} cases have an answer${median}`;
}

// ---------------------------------------------------------------- cases and their pictures

function load(id) {
  if (!loaded.has(id)) {
    const promise = getPacked(`/api/cases/${id}/mips`);
    promise.catch(() => loaded.delete(id)); // asked again when it is opened again
    loaded.set(id, promise);
    for (const old of loaded.keys()) {
      if (loaded.size <= KEPT_CASES) break;
      if (old !== session.current) loaded.delete(old);
    }
  }
  return loaded.get(id);
}

async function open(id) {
  if (session.current && session.current !== id) saveComment();
  session.current = id;
  window.history.replaceState(null, "", `#${id}`);
  Object.assign(view, { lesion: 0, placedFrom: null, mips: null, shownAt: performance.now(), hiddenMs: 0 });
  Object.assign(view, { confirmsEmpty: false, pressed: null });
  element("comment").value = current().comment;
  blank(""); // never another case's pictures under this one's name
  markCurrent();
  showCase();
  const late = setTimeout(() => session.current === id && !view.mips && blank("Reading the scan"), 120);
  try {
    const mips = await load(id);
    if (session.current !== id) return;
    view.mips = mips;
    blank("");
    showPictures();
    prefetch();
  } catch (error) {
    if (session.current === id) blank(error.message);
  } finally {
    clearTimeout(late);
  }
}

function prefetch() {
  for (const item of [nextLeft(), neighbour(1)]) {
    if (item) load(item.id).catch(() => {}); // told when the case is opened
  }
}

function blank(text) {
  element("blank").textContent = text;
  element("mips").dataset.empty = String(!view.mips);
}

function showPictures() {
  for (const plane of ["coronal", "sagittal"]) {
    const image = view.mips.arrays[plane];
    const picture = pictures[plane];
    picture.canvas.parentElement.hidden = !image;
    picture.zoom = 1;
    picture.centre = null;
    if (image) picture.show(image);
    else picture.clear();
  }
  layout();
  showCase();
}

function layout() {
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

// ---------------------------------------------------------------- the lesion under the click

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

// ---------------------------------------------------------------- geometry

function markedPixels(plane) {
  const item = current();
  if (item.points.length && view.mips.header.frame.origin_mm) return item.points.map((point) => pixelOf(plane, point, view.mips.header.frame));
  return item.pixels[plane] ?? [];
}

// ---------------------------------------------------------------- drawing

function draw() {
  Object.values(pictures).forEach((picture) => picture.draw());
  Object.values(slices).forEach((slice) => slice.draw());
}

function drawOnMip(plane, context, place, picture) {
  if (!view.mips || !session.current) return;
  const colour = accentOnImage();
  drawSides(context, plane, picture.width, grey.inverted);
  const marked = markedPixels(plane);
  if (session.outline) {
    for (const entry of view.lesions) drawContours(context, entry.value?.header.mips[plane], place, colour);
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

function drawOnSlice(name, context, place, slice) {
  const found = view.lesions[view.lesion]?.value;
  const point = current()?.points[view.lesion];
  if (!found || !point || !slice.image) return;
  if (session.outline) drawContours(context, found.header.slices[name], place, accentOnImage());
  drawCross(context, place(...pixelOf(name, point, found.header.frame)), slice.width, slice.height, 0.55, accentOnImage());
}

function hover(plane, row, column) {
  const value = row === null ? null : pictures[plane].valueAt(row, column);
  element(`${plane}-value`).textContent = value === null ? "" : `SUV ${number(value)}`;
}

// ---------------------------------------------------------------- the case's words

function showCase() {
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

function showHint() {
  const item = current();
  const place = `${session.cases.indexOf(item) + 1} of ${session.cases.length}`;
  let text = "Click the tumour";
  if (view.confirmsEmpty) text = "No point yet. Enter again accepts the case as free of lesions";
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
    chip(label, { key: index < 9 ? String(index + 1) : "", pressed: item.label === label, run: () => setLabel(label) }));
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
      const button = chip(text, { pressed: index === view.lesion, run: () => { view.lesion = index; view.placedFrom = null; showCase(); } });
      button.setAttribute("aria-label", waits ? `Lesion ${index + 1}, click it` : `Lesion ${index + 1}`);
      buttons.push(button);
    }
  }
  if (count && view.lesion < count) buttons.push(chip("Further", { key: "L", run: addLesion }), chip("Remove", { key: "Del", run: removeLesion }));
  buttons.slice(-2).forEach((button) => button.title === "" && button.removeAttribute?.("title"));
  element("lesions").replaceChildren(...buttons);
}

// ---------------------------------------------------------------- list and progress

function buildList() {
  const list = element("cases");
  list.replaceChildren(...shown().map((item) => {
    const line = document.createElement("li");
    line.id = `case-${item.id}`;
    const button = document.createElement("button");
    button.innerHTML = '<img class="thumb" alt=""><span class="words"><span class="name"></span><span class="about"></span></span><i class="dot"></i>';
    button.addEventListener("click", () => open(item.id));
    line.append(button);
    return line;
  }));
  shown().forEach((item) => refreshItem(item.id));
  markCurrent();
}

const STATUS_WORDS = { left: "no point", point: "not accepted", done: "done" };

function refreshItem(id) {
  const button = element(`case-${id}`)?.firstChild;
  if (!button) return;
  const item = session.byId.get(id);
  button.querySelector(".name").textContent = item.id;
  const count = lesionCount(item);
  const about = [item.label, count > 1 ? `${count} lesions` : "", item.comment ? "comment" : ""].filter(Boolean).join(" · ");
  button.querySelector(".about").textContent = about || STATUS_WORDS[status(item)];
  button.querySelector(".dot").dataset.status = status(item);
  button.setAttribute("aria-label", `${item.id}, ${item.label || "no class"}, ${STATUS_WORDS[status(item)]}`);
  const image = button.querySelector("img");
  if (item.thumbnail && image.dataset.ready !== "true") {
    image.src = item.thumbnail;
    image.dataset.ready = "true";
  } else if (!item.thumbnail && !image.src) image.src = "/assets/blank.svg";
}

function markCurrent() {
  document.querySelectorAll('#cases [aria-current="true"]').forEach((button) => button.removeAttribute("aria-current"));
  if (session.current && !element(`case-${session.current}`)) buildList();
  const button = element(`case-${session.current}`)?.firstChild;
  button?.setAttribute("aria-current", "true");
  button?.scrollIntoView({ block: "nearest" });
}

function refreshProgress() {
  const total = session.cases.length;
  const done = session.cases.filter((item) => item.done).length;
  const marked = session.cases.filter((item) => item.done || hasPoint(item)).length;
  const track = element("progress");
  track.querySelector(".done").style.width = `${(100 * done) / total}%`;
  track.querySelector(".pointed").style.width = `${(100 * marked) / total}%`;
  track.setAttribute("aria-valuenow", done);
  track.setAttribute("aria-valuemax", total);
  const left = session.cases.filter(isLeft).length;
  element("progress-text").textContent = left ? `${done} of ${total} done · ${left} left` : `${done} of ${total} done`;
}

let lastInput = 0;
const busy = () => performance.now() - lastInput < IDLE_MS || pending > 0;
const withoutThumbnail = () =>
  shown().filter((item) => !item.thumbnail && !item.unreadable).map(({ id }) => ({ id, line: element(`case-${id}`) }));

async function readThumbnail(id) {
  const item = session.byId.get(id);
  try {
    item.thumbnail = await getPicture(`/api/cases/${id}/thumbnail`);
    refreshItem(id);
  } catch (error) {
    if (error.status === 0) return false; // the server is gone; saving says so
    item.unreadable = true;
  }
  return true;
}

// ---------------------------------------------------------------- who else is here

const mark = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");

async function tellPresence() {
  try {
    const { others } = await sendJson("POST", "/api/presence", { window: mark });
    if (others && !tellPresence.told) notice("This cohort is open in another window too. Changes made there show here when you save.", close);
    tellPresence.told = others > 0;
  } catch (error) {
    if (error.status === 0) notice(error.message);
  }
}

// ---------------------------------------------------------------- keys

const KEYS = {
  Enter: accept,
  ArrowRight: () => go(neighbour(1)), n: () => go(neighbour(1)),
  ArrowLeft: () => go(neighbour(-1)), p: () => go(neighbour(-1)),
  g: () => go(nextLeft()),
  u: undo, l: addLesion, Delete: removeLesion, Backspace: removeLesion,
  c: () => element("comment").focus(),
  i: () => grey.set(grey.upper, !grey.inverted),
  o: () => toggleOutline(),
  t: () => changeTheme(),
  0: () => fit(),
  "+": () => grey.scale(1 / 1.15), "=": () => grey.scale(1 / 1.15), "-": () => grey.scale(1.15),
  "?": () => element("keys").showModal(),
};

function onKey(event) {
  lastInput = performance.now();
  if (element("keys").open) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
    event.preventDefault();
    undo();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const onButton = event.target instanceof Element && event.target.matches("button, input");
  if (onButton && ["Enter", " ", "ArrowLeft", "ArrowRight"].includes(event.key)) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const label = /^[1-9]$/.test(key) ? session.classes[Number(key) - 1] : null;
  const run = label ? () => setLabel(label) : KEYS[key];
  if (!run) return;
  event.preventDefault();
  run();
}

function toggleOutline() {
  session.outline = !session.outline;
  element("outline").setAttribute("aria-pressed", String(session.outline));
  draw();
}

function changeTheme() {
  toggleTheme();
  [...Object.values(pictures), ...Object.values(slices)].forEach((picture) => picture.render());
}

function fit() {
  Object.values(pictures).forEach((picture) => picture.look(1, null));
  grey.reset();
}

function setFilter(name) {
  session.filter = name;
  document.querySelectorAll("[data-filter]").forEach((button) =>
    button.setAttribute("aria-pressed", String(button.dataset.filter === name)));
  buildList();
  showCase();
}

// ---------------------------------------------------------------- start

function connect() {
  for (const plane of ["coronal", "sagittal"]) {
    pictures[plane] = new Picture(element(plane), grey, {
      click: (row, column) => clickMip(plane, row, column),
      hover: (row, column) => hover(plane, row, column),
      draw: (context, place, picture) => drawOnMip(plane, context, place, picture),
    });
    pictures[plane].focusColumn = () => markedPixels(plane)[view.lesion]?.[1] ?? null;
  }
  pictures.coronal.linked = [pictures.sagittal];
  pictures.sagittal.linked = [pictures.coronal];
  for (const name of ["axial", "coronal", "sagittal"]) {
    slices[name] = new Picture(element(`slice-${name}`), grey, {
      click: (row, column) => clickSlice(name, row, column),
      draw: (context, place, slice) => drawOnSlice(name, context, place, slice),
    });
    slices[name].roams = true;
  }
  connectWindow(grey, { range: element("upper-range"), output: element("upper"), invert: element("invert") });
  grey.listeners.push(() => { document.querySelector(".slices").dataset.inverted = String(grey.inverted); });
  const runs = {
    accept, undo, outline: toggleOutline, theme: changeTheme, fit,
    previous: () => go(neighbour(-1)), next: () => go(neighbour(1)), help: () => element("keys").showModal(),
  };
  Object.entries(runs).forEach(([id, run]) => element(id).addEventListener("click", run));
  document.querySelectorAll("[data-filter]").forEach((button) =>
    button.addEventListener("click", () => setFilter(button.dataset.filter)));
  element("comment").addEventListener("blur", saveComment);
  element("new-label").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.value.trim()) setLabel(event.target.value.trim());
    if (event.key === "Enter" || event.key === "Escape") { event.target.value = ""; event.target.hidden = true; }
  });
  document.addEventListener("keydown", onKey);
  document.addEventListener("pointermove", () => { lastInput = performance.now(); });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) view.hiddenAt = performance.now();
    else if (view.hiddenAt) view.hiddenMs += performance.now() - view.hiddenAt;
  });
  window.addEventListener("beforeunload", (event) => { if (pending) event.preventDefault(); });
  window.addEventListener("pagehide", () => {
    sendJson("POST", "/api/presence", { window: mark, closing: true }, { keepalive: true }).catch(() => {});
  });
  new ResizeObserver(() => { if (view.mips) { layout(); draw(); } }).observe(element("mips"));
  releaseFocusAfterClicks();
}

async function start() {
  connect();
  blank("Reading the cohort");
  const cohort = await getJson("/api/cohort");
  session.cases = cohort.cases;
  session.cases.forEach((item) => Object.assign(item, { saved: said(item), edits: [] }));
  session.byId = new Map(cohort.cases.map((item) => [item.id, item]));
  session.classes = cohort.classes;
  element("title").textContent = `${cohort.folder} / ${cohort.name}`;
  document.title = `${cohort.name} · pointpet annotate`;
  const asked = decodeURIComponent(window.location.hash.slice(1));
  session.current = session.byId.has(asked) ? asked : cohort.start;
  buildList();
  refreshProgress();
  await open(session.current);
  tellPresence();
  setInterval(tellPresence, PRESENCE_MS);
  readThumbnails({ list: element("cases"), wanted: withoutThumbnail, busy, read: readThumbnail });
}

start().catch((error) => {
  blank(error.message);
  throw error;
});
