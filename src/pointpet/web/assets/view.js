// The viewer: predictions over the images they were made from, and what the reader says of them.

import { buildList, markCurrent, noteInput, showProgress, startThumbnails } from "./view-list.js";
import { caseUrl, close, grey, actions, layers, neighbour, packedOnce, session, shown, view } from "./view-state.js";
import { decide, pending, saveComment, showCorrected, correctAt, undo } from "./view-verdicts.js";
import { showHead, showLesions, showVerdict, showWords } from "./view-words.js";
import {
  connectWindow, drawSides, element, isTyping, layoutSideBySide, movedTo, notice, number, pixelOf,
  releaseFocusAfterClicks, toggleTheme,
} from "./page.js";
import {
  accentOnImage, drawOutlines, drawCross, MAP, Picture, PREDICTION, rgb, TRUTH, veil,
} from "./picture.js";
import { getJson, getPacked } from "./requests.js";
import { SurfaceView } from "./surface.js";

const TURN_MS = 110;
const PLANES = ["coronal", "sagittal"];
const SLICES = ["coronal", "sagittal", "axial"];
const MAP_FLOOR = 0.1; // a faint haze over the whole body hides the image and says nothing

const pictures = {};
const slices = {};
let turning = null;
let surface = null;
let plays = true;

// ---------------------------------------------------------------- the case on the screen

async function open(id) {
  if (session.current && session.current !== id) await saveComment();
  session.current = id;
  window.history.replaceState(null, "", `#${id}`);
  Object.assign(view, { detail: null, mips: null, overlays: null, slices: null, rotation: null, surfaces: null });
  Object.assign(view, { point: null, lesion: 0, corrects: false, corrected: null });
  blank(""); // never another case's pictures under this one's name
  markCurrent();
  showHead();
  const stillHere = () => session.current === id;
  const late = setTimeout(() => stillHere() && !view.mips && blank("Reading the scan"), 120);
  try {
    const detail = await getJson(caseUrl());
    if (!stillHere()) return;
    view.detail = detail;
    showWords();
    await showImages(stillHere);
    if (stillHere()) prefetch();
  } catch (error) {
    if (stillHere()) blank(error.message);
  } finally {
    clearTimeout(late);
  }
}

async function showImages(stillHere) {
  const { detail } = view;
  element("drawn").hidden = true;
  if (!detail.has_mips) {
    blank(detail.has_picture ? "" : "No image. Start the viewer with --images to see the scan.");
    element("view").dataset.blank = "true";
    if (detail.has_picture) {
      element("drawn").src = caseUrl("/picture");
      element("drawn").hidden = false;
    }
    return;
  }
  const overlays = packedOnce(caseUrl("/overlays")); // asked for beside the MIPs
  const mips = await packedOnce(`/api/cases/${session.current}/mips`);
  if (!stillHere()) return;
  view.mips = mips;
  blank("");
  for (const plane of PLANES) {
    const picture = pictures[plane];
    Object.assign(picture, { zoom: 1, centre: null, tints: [] });
    picture.canvas.parentElement.hidden = !mips.arrays[plane];
    if (mips.arrays[plane]) picture.show(mips.arrays[plane]);
    else picture.clear();
  }
  showTab();
  view.overlays = await overlays;
  if (!stillHere()) return;
  showMaps();
  jumpTo(0);
  if (view.detail.review.point) showCorrected(view.detail.review.point);
}

function prefetch() {
  const next = neighbour(1);
  if (!next?.has_mips) return;
  packedOnce(`/api/cases/${next.id}/mips`).catch(() => {}); // told when the case is opened
}

function blank(text) {
  element("blank").textContent = text;
  element("view").dataset.blank = String(!view.mips);
}

function showMaps() {
  for (const plane of PLANES) {
    const map = view.overlays?.arrays[plane];
    pictures[plane].tints = map && layers.map
      ? [{ source: veil(map, rgb(MAP), { floor: MAP_FLOOR }), extent: view.overlays.header.maps[plane].extent }]
      : [];
  }
  showToggles();
  draw();
}

function showToggles() {
  // The map lies on the MIPs alone.
  const has = { map: session.tab === "mips" && Object.keys(view.overlays?.header.maps ?? {}).length > 0 };
  for (const name of ["prediction", "truth"]) has[name] = Boolean(view.overlays?.header.contours[name]);
  document.querySelectorAll("[data-layer]").forEach((button) => {
    button.disabled = !has[button.dataset.layer];
    button.setAttribute("aria-pressed", String(layers[button.dataset.layer] && has[button.dataset.layer]));
  });
}

// ---------------------------------------------------------------- the cross hair that all pictures share

function jumpTo(index) {
  const lesions = view.detail.lesions ?? [];
  view.lesion = index;
  if (lesions[index]) setPoint(lesions[index].peak_mm);
  else if (view.mips?.header.frame.origin_mm) {
    const { origin_mm: origin, pixel_mm: pixel, cells } = view.mips.header.frame;
    setPoint(origin.map((start, axis) => start + ((cells[axis] - 1) / 2) * pixel));
  }
  showLesions();
}

let wanted = null;
let reading = false;

function setPoint(point) {
  view.point = point;
  surface.focusOn(point);
  draw();
  if (session.tab === "slices") readSlices();
}

// The latest point only: while one set of slices is under way, further moves wait for it.
async function readSlices() {
  if (!view.detail?.has_volume || !view.point) return;
  wanted = { id: session.current, method: session.method, point: view.point };
  if (reading) return;
  reading = true;
  try {
    while (wanted) {
      const { id, method, point: [x, y, z] } = wanted;
      wanted = null;
      const found = await getPacked(`/api/results/${method}/${id}/slices?x=${x}&y=${y}&z=${z}`);
      if (id !== session.current || method !== session.method) continue;
      view.slices = found;
      SLICES.forEach((name) => slices[name].show(found.arrays[name]));
      layout();
    }
  } catch (error) {
    notice(error.message, close);
  } finally {
    reading = false;
  }
}

async function clickMip(plane, row, column) {
  if (!view.detail?.has_volume) return;
  const id = session.current;
  try {
    const { point } = await getJson(`/api/cases/${id}/point?plane=${plane}&row=${row}&column=${column}`);
    if (id === session.current) clicked(point);
  } catch (error) {
    notice(error.message, close);
  }
}

function clickSlice(name, row, column) {
  clicked(movedTo(name, view.point, row, column, view.slices.header.frame));
}

function clicked(point) {
  setPoint(point);
  if (view.corrects) correctAt(point);
}

// ---------------------------------------------------------------- drawing

function draw() {
  Object.values(pictures).forEach((picture) => picture.draw());
  Object.values(slices).forEach((slice) => slice.draw());
}

function drawMasks(context, contours, corrected, place) {
  drawOutlines(context, place, [
    { contours: layers.truth ? contours.truth : null, colour: TRUTH, width: 2 },
    { contours: layers.prediction ? contours.prediction : null, colour: PREDICTION, dash: [5, 4] },
    { contours: corrected, colour: accentOnImage(), width: 2 },
  ]);
}

function drawOnMip(plane, context, place, picture) {
  if (!view.mips) return;
  drawSides(context, plane, picture.width, grey.inverted);
  const contours = view.overlays?.header.contours ?? {};
  const named = Object.fromEntries(Object.entries(contours).map(([name, views]) => [name, views[plane]]));
  drawMasks(context, named, view.corrected?.mips[plane], place);
  if (view.point && view.mips.header.frame.origin_mm) {
    drawCross(context, place(...pixelOf(plane, view.point, view.mips.header.frame)), picture.width, picture.height, 0.6);
  }
}

function drawOnSlice(name, context, place, slice) {
  if (!view.slices || !view.point) return;
  drawSides(context, name, slice.width, grey.inverted);
  const { contours, frame } = view.slices.header;
  const named = Object.fromEntries(Object.entries(contours).map(([mask, views]) => [mask, views[name]]));
  drawMasks(context, named, null, place);
  drawCross(context, place(...pixelOf(name, view.point, frame)), slice.width, slice.height, 0.6);
}

function hover(picture, id, row, column) {
  const value = row === null ? null : picture.valueAt(row, column);
  element(`${id}-value`).textContent = value === null ? "" : `SUV ${number(value)}`;
}

// ---------------------------------------------------------------- tabs

function setTab(name) {
  session.tab = name;
  document.querySelectorAll("[data-tab][role=tab]").forEach((button) =>
    button.setAttribute("aria-selected", String(button.dataset.tab === name)));
  showTab();
}

async function showTab() {
  element("view").dataset.tab = session.tab;
  showToggles();
  if (!view.mips) return;
  if (session.tab !== "mips" && session.tab !== "surface" && !view.detail.has_volume) {
    element("blank").textContent = "This needs the scan. Start the viewer with the option --images.";
    element("view").dataset.blank = "true";
    return;
  }
  blank("");
  layout();
  try {
    if (session.tab === "slices") await readSlices();
    if (session.tab === "rotation") await showRotation();
    if (session.tab === "surface") await showSurfaces();
  } catch (error) {
    notice(error.message, close);
  }
}

function layout() {
  const box = element("view");
  if (session.tab === "mips") layoutSideBySide(box, PLANES.map((plane) => pictures[plane]));
  if (session.tab === "slices") layoutSideBySide(box, SLICES.map((name) => slices[name]));
  if (session.tab === "rotation" && turning.image) layoutSideBySide(box, [turning], { caption: 44 });
  if (session.tab === "surface") surface.resize(Math.min(box.clientWidth, 1000), box.clientHeight - 30);
}

async function showRotation() {
  const id = session.current;
  const slow = setTimeout(() => { element("blank").textContent = "Turning the scan"; }, 150);
  const found = await packedOnce(caseUrl("/rotation")).finally(() => clearTimeout(slow));
  if (id !== session.current) return;
  element("blank").textContent = "";
  view.rotation = found;
  showFrame(view.frame);
  layout();
}

function frameOf({ values, shape: [, rows, columns], step }, index) {
  const size = rows * columns;
  return { values: values.subarray(index * size, (index + 1) * size), shape: [rows, columns], step };
}

function showFrame(index) {
  const { arrays, header } = view.rotation;
  view.frame = (index + header.frames) % header.frames;
  element("angle").value = view.frame;
  const [, rows, columns] = arrays.mips.shape;
  const extent = [-0.5, -0.5, rows - 0.5, columns - 0.5];
  turning.tints = [["truth", TRUTH], ["prediction", PREDICTION]]
    .filter(([name]) => layers[name] && arrays[name])
    .map(([name, colour]) => {
      const { values, shape } = frameOf(arrays[name], view.frame);
      return { source: veil({ values: values.map((v) => v * 255), shape }, rgb(colour), { opacity: 0.5 }), extent };
    });
  turning.show(frameOf(arrays.mips, view.frame));
}

function turn() {
  if (plays && session.tab === "rotation" && view.rotation && !document.hidden) showFrame(view.frame + 1);
}

async function showSurfaces() {
  if (!surface.works) {
    element("blank").textContent = "This browser has no WebGL 2. The rotation shows the same masks.";
    element("view").dataset.blank = "true";
    return;
  }
  const id = session.current;
  const found = await packedOnce(caseUrl("/surfaces"));
  if (id !== session.current) return;
  const looks = {
    prediction: { colour: rgb(PREDICTION), glass: 0, least: 1 },
    truth: { colour: rgb(TRUTH), glass: 1, least: 0.25 },
    body: { colour: [120, 135, 150], glass: 1, least: 0.05 },
  };
  const meshes = Object.entries(looks).filter(([name]) => found.arrays[`${name}_triangles`]).map(([name, look]) => ({
    name,
    ...look,
    corners: found.arrays[`${name}_corners`].values,
    normals: found.arrays[`${name}_normals`].values,
    triangles: found.arrays[`${name}_triangles`].values,
  }));
  surface.show(meshes);
  showLayers();
}

function showLayers() {
  surface.draw(new Set(["prediction", "truth"].filter((name) => !layers[name])));
}

function toggleLayer(name) {
  const button = document.querySelector(`[data-layer="${name}"]`);
  if (button.disabled) return;
  layers[name] = !layers[name];
  showMaps();
  if (view.rotation && session.tab === "rotation") showFrame(view.frame);
  showLayers();
}

// ---------------------------------------------------------------- methods, keys

async function setMethod(name) {
  await saveComment();
  session.method = name;
  element("method").value = name;
  session.cases = (await getJson(`/api/results/${name}`)).cases;
  if (!session.cases.some((item) => item.id === session.current)) session.current = null;
  buildList();
  showProgress();
  const asked = decodeURIComponent(window.location.hash.slice(1));
  const start = session.current ?? session.cases.find((item) => item.id === asked)?.id ?? shown()[0].id;
  session.current = null;
  await open(start);
}

function fit() {
  [...Object.values(pictures), ...Object.values(slices)].forEach((picture) => picture.look(1, null));
  surface.reset();
  grey.reset();
}

function changeTheme() {
  toggleTheme();
  [...Object.values(pictures), ...Object.values(slices), turning].forEach((picture) => picture.render());
}

const go = (item) => item && open(item.id);
const nextLesion = () => view.detail?.lesions?.length && jumpTo((view.lesion + 1) % view.detail.lesions.length);

const KEYS = {
  a: () => decide("accepted"), r: () => decide("rejected"), c: () => decide("corrected"),
  Escape: () => { view.corrects = false; showVerdict(); },
  ArrowRight: () => go(neighbour(1)), n: () => go(neighbour(1)),
  ArrowLeft: () => go(neighbour(-1)), b: () => go(neighbour(-1)),
  u: undo, l: nextLesion, k: () => element("comment").focus(),
  m: () => toggleLayer("map"), p: () => toggleLayer("prediction"), g: () => toggleLayer("truth"),
  1: () => setTab("mips"), 2: () => setTab("slices"), 3: () => setTab("rotation"), 4: () => setTab("surface"),
  " ": () => setPlaying(!plays),
  i: () => grey.set(grey.upper, !grey.inverted), t: changeTheme, 0: fit,
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
  const withControl = event.ctrlKey || event.metaKey;
  if (withControl && event.key.toLowerCase() === "z") {
    event.preventDefault();
    undo();
    return;
  }
  if (withControl || event.altKey) return;
  const onControl = event.target instanceof Element && event.target.matches(":not(dialog *):is(button, input)");
  if (onControl && ["Enter", " ", "ArrowLeft", "ArrowRight"].includes(event.key)) return;
  const run = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!run) return;
  event.preventDefault();
  run();
}

function setPlaying(on) {
  plays = on;
  element("play").setAttribute("aria-pressed", String(on));
}

// ---------------------------------------------------------------- start

Object.assign(actions, { open, setTab, setPoint, draw, setMethod, jumpTo });

function connect() {
  for (const plane of PLANES) {
    pictures[plane] = new Picture(element(plane), grey, {
      click: (row, column) => clickMip(plane, row, column),
      hover: (row, column) => hover(pictures[plane], plane, row, column),
      draw: (context, place, picture) => drawOnMip(plane, context, place, picture),
    });
    pictures[plane].focusColumn = () =>
      (view.point && view.mips.header.frame.origin_mm ? pixelOf(plane, view.point, view.mips.header.frame)[1] : null);
  }
  pictures.coronal.linked = [pictures.sagittal];
  pictures.sagittal.linked = [pictures.coronal];
  for (const name of SLICES) {
    slices[name] = new Picture(element(`slice-${name}`), grey, {
      click: (row, column) => clickSlice(name, row, column),
      hover: (row, column) => hover(slices[name], `slice-${name}`, row, column),
      draw: (context, place, slice) => drawOnSlice(name, context, place, slice),
    });
  }
  turning = new Picture(element("turning"), grey);
  surface = new SurfaceView(element("surface"));
  connectWindow(grey, { range: element("upper-range"), output: element("upper"), invert: element("invert") });
  connectControls();
  setInterval(turn, TURN_MS);
  new ResizeObserver(() => { if (view.mips) { layout(); draw(); } }).observe(element("view"));
  releaseFocusAfterClicks();
}

function connectControls() {
  const runs = {
    undo, theme: changeTheme, fit, previous: () => go(neighbour(-1)), next: () => go(neighbour(1)),
    help: () => element("keys").showModal(), play: () => setPlaying(!plays),
  };
  Object.entries(runs).forEach(([id, run]) => element(id).addEventListener("click", run));
  const each = (selector, run) => document.querySelectorAll(selector).forEach((button) =>
    button.addEventListener("click", () => run(button)));
  each("[data-verdict]", (button) => decide(button.dataset.verdict));
  each("[data-layer]", (button) => toggleLayer(button.dataset.layer));
  each("[role=tab]", (button) => setTab(button.dataset.tab));
  each("[data-filter]", (button) => {
    session.filter = button.dataset.filter;
    document.querySelectorAll("[data-filter]").forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
    buildList();
    showHead();
  });
  element("sort").addEventListener("change", (event) => {
    session.sort = event.target.value;
    buildList();
    showHead();
    event.target.blur();
  });
  element("method").addEventListener("change", (event) => {
    event.target.blur();
    setMethod(event.target.value);
  });
  element("angle").addEventListener("input", (event) => {
    setPlaying(false);
    if (view.rotation) showFrame(Number(event.target.value));
  });
  element("comment").addEventListener("blur", saveComment);
  document.addEventListener("keydown", onKey);
  document.addEventListener("pointermove", noteInput);
  window.addEventListener("beforeunload", (event) => { if (pending) event.preventDefault(); });
}

async function start() {
  connect();
  blank("Reading the results");
  const results = await getJson("/api/results");
  session.methods = results.methods;
  element("title").textContent = results.name;
  document.title = `${results.name} · pointpet view`;
  element("method").replaceChildren(...results.methods.map((name) => new Option(name, name)));
  element("method").disabled = results.methods.length < 2;
  await setMethod(results.methods[0]);
  startThumbnails();
}

start().catch((error) => {
  blank(error.message);
  throw error;
});
