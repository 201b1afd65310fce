// The annotation page: one click per patient. The server saves each change before it confirms it.

import { draw, drawOnMip, drawOnSlice, hover, layout, markedPixels, showCase, showHint } from "./annotate-case.js";
import { buildList, markCurrent, noteInput, refreshItem, refreshProgress, startThumbnails } from "./annotate-list.js";
import { change, close, failed, pending, queue, saving, take } from "./annotate-saving.js";
import {
  actions, current, finished, grey, hasPoint, history, lesionCount, neighbour, nextLeft, pictures, said, session,
  slices, view,
} from "./annotate-state.js";
import {
  connectWindow, element, isTyping, movedTo, notice, pixelOf, releaseFocusAfterClicks, toggleTheme,
} from "./page.js";
import { Picture } from "./picture.js";
import { getJson, getPacked, sendJson } from "./requests.js";

const KEPT_CASES = 12;
const NEAR_MM = 25; // a click on the other view this near in height corrects the depth; farther away it starts anew
const REST_MS = 30;
const HOT_SUV = 2;
const PRESENCE_MS = 4000;

const loaded = new Map(); // case id -> promise of its pictures

// ---------------------------------------------------------------- the work

function clickMip(plane, row, column) {
  const item = current();
  if (!view.mips) return;
  const { id } = item;
  const { lesion, placed } = view;
  const { frame } = view.mips.header;
  const pressed = { plane, row, column, lesion };
  view.pressed = pressed; // drawn at once; the server's answer follows
  draw();
  queue(async () => {
    // Only now is the click before this one in the case: what this one means is read from it.
    const before = item.saved;
    const keeps = correctsDepth(item, pressed, placed, frame);
    if (!keeps) placed.from = plane;
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

// Where the mouse rests on a hot spot a click will follow: its outline is begun before.
let resting = 0;

function foresee(plane, row, column) {
  clearTimeout(resting);
  if (row === null || !view.mips || !current().has_volume) return;
  if ((pictures[plane].valueAt(row, column) ?? 0) < HOT_SUV) return;
  const { id } = current();
  resting = setTimeout(() => {
    sendJson("POST", `/api/cases/${id}/foresee`, { plane, row, column }).catch(() => {}); // the click itself will tell
  }, REST_MS);
}

// On the view that a point was set from, a click sets it anew; on the other one, near its height, it corrects the depth.
function correctsDepth(item, { plane, row, lesion }, placed, frame) {
  const point = item.saved.points[lesion];
  if (!point || !item.has_volume || frame.origin_mm === null) return false;
  if (plane === (placed.from ?? "coronal")) return false;
  return Math.abs(row - pixelOf(plane, point, frame)[0]) * frame.pixel_mm <= NEAR_MM;
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
  view.placed = { from: null };
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

function saveComment() {
  const item = current();
  const text = element("comment").value.trim();
  if (item && text !== item.comment) change(item.id, (state) => { state.comment = text; });
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
  Object.assign(view, { lesion: 0, placed: { from: null }, mips: null, shownAt: performance.now(), hiddenMs: 0 });
  Object.assign(view, { confirmsEmpty: false, pressed: null, unreadable: false });
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
    if (session.current !== id) return;
    view.unreadable = true;
    blank(error.message);
    showHint();
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
  noteInput();
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
  const onButton = event.target instanceof Element && event.target.matches(":not(dialog *):is(button, input)");
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

Object.assign(actions, {
  open, setLabel, addLesion, removeLesion,
  show(item) {
    refreshItem(item.id);
    refreshProgress();
    if (item.id === session.current) showCase();
  },
});

function connect() {
  for (const plane of ["coronal", "sagittal"]) {
    pictures[plane] = new Picture(element(plane), grey, {
      click: (row, column) => clickMip(plane, row, column),
      hover: (row, column) => {
        hover(plane, row, column);
        foresee(plane, row, column);
      },
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
  document.addEventListener("pointermove", noteInput);
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
  startThumbnails();
}

start().catch((error) => {
  blank(error.message);
  throw error;
});
