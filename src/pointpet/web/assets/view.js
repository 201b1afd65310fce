// The viewer: predictions over the images they were made from, and what the reader says of them.

import { getJson, getPacked, getPicture, sendJson } from "./requests.js";
import {
  accentOnImage, drawContours, drawCross, MAP, Picture, PREDICTION, rgb, TRUTH, veil, Window,
} from "./picture.js";
import { SurfaceView } from "./surface.js";
import {
  connectWindow, drawSides, element, flagWords, isTyping, layoutSideBySide, movedTo, notice, number, pixelOf,
  readThumbnails, releaseFocusAfterClicks, toggleTheme,
} from "./page.js";

const KEPT = 12;
const TURN_MS = 110;
const IDLE_MS = 600;
const PLANES = ["coronal", "sagittal"];
const SLICES = ["coronal", "sagittal", "axial"];
const MAP_FLOOR = 0.1; // a faint haze over the whole body hides the image and says nothing

const session = { study: false, methods: [], method: "", cases: [], current: null, filter: "all", sort: "id", tab: "mips" };
const view = { detail: null, mips: null, overlays: null, slices: null, point: null, lesion: 0, corrects: false, frame: 0 };
const layers = { map: true, prediction: true, truth: true };
const thumbnails = new Map();
const history = []; // { method, id, before }
const kept = new Map(); // address -> promise of its packed answer

const grey = new Window(7);
const pictures = {};
const slices = {};
let turning = null;
let surface = null;
let plays = true;
let lastInput = 0;
let pending = 0;

const current = () => session.cases.find((item) => item.id === session.current);
const caseUrl = (rest = "") => `/api/results/${session.method}/${session.current}${rest}`;
const close = { label: "Close", run: () => notice(null) };

function packedOnce(url) {
  if (!kept.has(url)) {
    const promise = getPacked(url);
    promise.catch(() => kept.delete(url));
    kept.set(url, promise);
    while (kept.size > KEPT * 3) kept.delete(kept.keys().next().value);
  }
  return kept.get(url);
}

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
  const has = { map: Object.keys(view.overlays?.header.maps ?? {}).length > 0 };
  for (const name of ["prediction", "truth"]) has[name] = Boolean(view.overlays?.header.contours[name]);
  document.querySelectorAll("[data-layer]").forEach((button) => {
    button.disabled = !has[button.dataset.layer];
    button.setAttribute("aria-pressed", String(layers[button.dataset.layer] && has[button.dataset.layer]));
  });
  draw();
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

// ---------------------------------------------------------------- verdicts

async function send(method, id, review, { remembers = true } = {}) {
  const detail = id === session.current && method === session.method ? view.detail : null;
  const before = detail?.review ?? (await getJson(`/api/results/${method}/${id}`)).review;
  pending += 1;
  showState("saving", "Saving");
  try {
    const saved = await sendJson("PUT", `/api/results/${method}/${id}/review`, review);
    if (remembers) history.push({ method, id, before });
    if (detail) detail.review = saved;
    const item = method === session.method ? session.cases.find((one) => one.id === id) : null;
    if (item) {
      item.verdict = saved.verdict;
      refreshItem(item);
    }
    showState("saved", "Saved");
    showProgress();
    if (id === session.current) showVerdict();
    return true;
  } catch (error) {
    showState("failed", "Not saved");
    notice(`Not saved: ${error.message}`, close);
    return false;
  } finally {
    pending -= 1;
  }
}

function showState(kind, text) {
  element("state").dataset.kind = kind;
  element("state").textContent = text;
}

const typed = () => element("comment").value.trim();

async function decide(verdict) {
  if (!view.detail) return;
  if (verdict === "corrected") {
    startCorrection();
    return;
  }
  view.corrects = false;
  const takesBack = view.detail.review.verdict === verdict;
  const next = takesBack ? null : nextOpen();
  const saved = await send(session.method, session.current, { verdict: takesBack ? "" : verdict, comment: typed() });
  if (saved && !takesBack) element("spoken").textContent = `${session.current} ${verdict}. Saved.`;
  if (saved && next) open(next.id);
}

function startCorrection() {
  if (!view.detail.has_volume) {
    notice("A correction needs the scan: start the viewer with --images.", close);
    return;
  }
  view.corrects = !view.corrects;
  if (session.tab !== "slices") setTab("mips");
  showVerdict();
}

async function correctAt(point) {
  view.corrects = false;
  if (await send(session.method, session.current, { verdict: "corrected", point, comment: typed() })) showCorrected(point);
}

async function showCorrected([x, y, z]) {
  const id = session.current;
  try {
    const found = await packedOnce(`/api/cases/${id}/lesion?x=${x}&y=${y}&z=${z}`);
    if (id !== session.current) return;
    view.corrected = found.header;
    setPoint([x, y, z]);
    showVerdict();
  } catch (error) {
    notice(`No outline: ${error.message}`, close);
  }
}

async function saveComment() {
  const review = view.detail?.review;
  if (!review || typed() === review.comment) return;
  await send(session.method, session.current, { verdict: review.verdict, point: review.point, comment: typed() });
}

async function undo() {
  const last = history.pop();
  if (!last) return;
  if (last.method !== session.method) await setMethod(last.method);
  if (last.id !== session.current) await open(last.id);
  await send(last.method, last.id, last.before, { remembers: false });
  element("comment").value = last.before.comment;
  view.corrected = null;
  if (last.before.point) showCorrected(last.before.point);
  draw();
}

// ---------------------------------------------------------------- list

function shown() {
  const keeps = { all: () => true, open: (item) => !item.verdict, flagged: (item) => item.flags.length > 0 }[session.filter];
  const low = (value) => (value === null || value === undefined ? Infinity : value);
  const order = {
    id: () => 0,
    dice: (a, b) => low(a.dice) - low(b.dice),
    confidence: (a, b) => low(a.confidence) - low(b.confidence),
    mtv: (a, b) => b.mtv_ml - a.mtv_ml,
  }[session.sort];
  return session.cases.filter((item) => keeps(item) || item.id === session.current).sort((a, b) => order(a, b) || 0);
}

function neighbour(step) {
  const list = shown();
  return list[list.findIndex((item) => item.id === session.current) + step];
}

function nextOpen() {
  const list = shown();
  const start = list.findIndex((item) => item.id === session.current);
  const turned = [...list.slice(start + 1), ...list.slice(0, start)];
  return turned.find((item) => !item.verdict) ?? null;
}

function buildList() {
  element("cases").replaceChildren(...shown().map((item) => {
    const line = document.createElement("li");
    line.id = `case-${item.id}`;
    const button = document.createElement("button");
    button.innerHTML = '<img class="thumb" alt=""><span class="words"><span class="name"></span><span class="about"></span></span><span class="value"></span><i class="dot"></i>';
    button.addEventListener("click", () => open(item.id));
    line.append(button);
    return line;
  }));
  shown().forEach(refreshItem);
  markCurrent();
}

function refreshItem(item) {
  const button = element(`case-${item.id}`)?.firstChild;
  if (!button) return;
  button.querySelector(".name").textContent = item.id;
  const wrong = item.label && item.predicted && item.label !== item.predicted;
  const about = button.querySelector(".about");
  about.textContent = wrong ? `${item.predicted}, wrong` : item.predicted ?? item.label ?? "";
  about.title = wrong ? `predicted ${item.predicted}, is ${item.label}` : "";
  about.classList.toggle("flagged", Boolean(wrong));
  const shows = { confidence: item.confidence, mtv: item.mtv_ml }[session.sort] ?? item.dice ?? item.confidence;
  const value = button.querySelector(".value");
  value.textContent = shows === null || shows === undefined ? "" : session.sort === "mtv" ? `${number(shows)} mL` : shows.toFixed(2);
  value.classList.toggle("flagged", item.flags.length > 0);
  value.title = item.flags.map(flagWords).join(". ");
  button.querySelector(".dot").dataset.status = item.verdict || "open";
  const words = [item.id, about.textContent, value.textContent, item.verdict || "open", ...item.flags.map(flagWords)];
  button.setAttribute("aria-label", words.filter(Boolean).join(", "));
  const image = button.querySelector("img");
  const thumbnail = thumbnails.get(item.id);
  if (thumbnail && thumbnail !== "none") {
    image.src = thumbnail;
    image.dataset.ready = "true";
  } else if (!image.src) image.src = "/assets/blank.svg";
}

function markCurrent() {
  document.querySelectorAll('#cases [aria-current="true"]').forEach((button) => button.removeAttribute("aria-current"));
  if (session.current && !element(`case-${session.current}`)) buildList();
  const button = element(`case-${session.current}`)?.firstChild;
  button?.setAttribute("aria-current", "true");
  button?.scrollIntoView({ block: "nearest" });
}

async function readThumbnail(id) {
  try {
    thumbnails.set(id, await getPicture(`/api/cases/${id}/thumbnail`));
  } catch (error) {
    if (error.status === 0) return false;
    thumbnails.set(id, "none");
  }
  const item = session.cases.find((one) => one.id === id);
  if (item) refreshItem(item);
  return true;
}

function showProgress() {
  const total = session.cases.length;
  const done = session.cases.filter((item) => item.verdict).length;
  element("progress").querySelector(".done").style.width = `${(100 * done) / Math.max(total, 1)}%`;
  element("progress").setAttribute("aria-valuenow", done);
  element("progress").setAttribute("aria-valuemax", total);
  element("progress-text").textContent = `${done} of ${total} reviewed`;
}

// ---------------------------------------------------------------- words

function showHead() {
  const list = shown();
  element("case-name").textContent = session.current;
  element("previous").disabled = !neighbour(-1);
  element("next").disabled = !neighbour(1);
  element("undo").disabled = !history.length;
  const place = `${list.findIndex((item) => item.id === session.current) + 1} of ${list.length}`;
  element("case-hint").textContent = view.corrects ? "Click the tumour: its mask is drawn and saved" : place;
}

function showWords() {
  element("comment").value = view.detail.review.comment;
  showClasses();
  showMeasures();
  const flags = view.detail.flags ?? [];
  element("flags").hidden = !flags.length;
  element("flags").textContent = flags.map(flagWords).join(". ");
  showLesions();
  showVerdict();
}

function row(term, value, className = "") {
  const name = document.createElement("dt");
  const text = document.createElement("dd");
  name.textContent = term;
  if (value instanceof Node) text.append(value);
  else text.textContent = value;
  if (className) name.className = className;
  return [name, text];
}

function showClasses() {
  const { probabilities, predicted, label } = view.detail;
  const entries = Object.entries(probabilities ?? {});
  const list = element("classes");
  list.parentElement.hidden = !entries.length && !label;
  if (!entries.length) {
    list.replaceChildren(...row(label ? `${label} (given)` : "", ""));
    return;
  }
  list.replaceChildren(...entries.flatMap(([name, value]) => {
    const track = document.createElement("div");
    track.className = "bar-track";
    const fill = document.createElement("i");
    fill.style.width = `${100 * value}%`;
    track.append(fill);
    const [term, bar] = row(name, track, name === predicted ? "chosen" : "");
    if (name === label) {
      const mark = document.createElement("span");
      mark.className = "truth-mark";
      mark.textContent = " true";
      term.append(mark);
    }
    const share = document.createElement("dd");
    share.textContent = value.toFixed(2);
    return [term, bar, share];
  }));
}

const MEASURES = [["dice", "Dice", "", 2], ["nsd_2mm", "Surface 2 mm", "", 2], ["hd95_mm", "HD95", "mm", 3],
  ["sensitivity", "Sensitivity", "", 2], ["fp_ml", "Outside", "mL", 3], ["fn_ml", "Missed", "mL", 3]];

function showMeasures() {
  const measures = view.detail.measures ?? {};
  const known = MEASURES.filter(([name]) => measures[name] !== null && measures[name] !== undefined);
  element("measures-section").hidden = !known.length;
  element("measures").replaceChildren(...known.map(([name, words, unit, digits]) => {
    const cell = document.createElement("div");
    const [term, value] = row(words, digits === 2 ? measures[name].toFixed(2) : number(measures[name]));
    if (unit) {
      const small = document.createElement("small");
      small.textContent = ` ${unit}`;
      value.append(small);
    }
    cell.append(term, value);
    return cell;
  }));
}

function showLesions() {
  const lesions = view.detail?.lesions ?? [];
  const table = element("lesions");
  const head = document.createElement("tr");
  for (const words of ["", "SUVmax", "SUVmean", "MTV mL", "TLG g"]) {
    const cell = document.createElement("th");
    cell.textContent = words;
    cell.scope = "col";
    head.append(cell);
  }
  const rows = lesions.map((lesion, index) => {
    const line = document.createElement("tr");
    if (index === view.lesion) line.setAttribute("aria-current", "true");
    const button = document.createElement("button");
    button.textContent = lesion.number;
    button.setAttribute("aria-label", `Go to lesion ${lesion.number}`);
    button.addEventListener("click", () => jumpTo(index));
    const first = document.createElement("td");
    first.append(button);
    line.append(first);
    for (const name of ["suv_max", "suv_mean", "mtv_ml", "tlg_g"]) {
      const cell = document.createElement("td");
      cell.textContent = number(lesion[name]);
      line.append(cell);
    }
    return line;
  });
  if (!rows.length) {
    const line = document.createElement("tr");
    line.innerHTML = '<td class="none" colspan="5">No lesion was drawn</td>';
    rows.push(line);
  }
  table.replaceChildren(...(lesions.length ? [head] : []), ...rows);
}

function showVerdict() {
  const verdict = view.detail?.review.verdict ?? "";
  document.querySelectorAll("[data-verdict]").forEach((button) => {
    button.setAttribute("aria-pressed", String(button.dataset.verdict === verdict));
    button.dataset.waiting = String(button.dataset.verdict === "corrected" && view.corrects);
  });
  showHead();
}

// ---------------------------------------------------------------- drawing

function draw() {
  Object.values(pictures).forEach((picture) => picture.draw());
  Object.values(slices).forEach((slice) => slice.draw());
}

function drawMasks(context, contours, corrected, place) {
  if (layers.truth) drawContours(context, contours?.truth, place, TRUTH);
  if (layers.prediction) drawContours(context, contours?.prediction, place, PREDICTION, { dash: [5, 3] });
  drawContours(context, corrected, place, accentOnImage(), { width: 2 });
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
  if (!view.mips) return;
  if (session.tab !== "mips" && session.tab !== "surface" && !view.detail.has_volume) {
    element("blank").textContent = "Slices and rotation need the scan: start the viewer with --images.";
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
    truth: { colour: rgb(TRUTH), glass: 1, least: 0.4 },
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
  lastInput = performance.now();
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
  const onControl = event.target instanceof Element && event.target.matches("button, input");
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
  document.addEventListener("pointermove", () => { lastInput = performance.now(); });
  window.addEventListener("beforeunload", (event) => { if (pending) event.preventDefault(); });
}

async function start() {
  connect();
  blank("Reading the results");
  const results = await getJson("/api/results");
  session.study = results.study;
  session.methods = results.methods;
  element("title").textContent = results.name;
  document.title = `${results.name} · pointpet view`;
  element("method").replaceChildren(...results.methods.map((name) => new Option(name, name)));
  element("method").disabled = results.methods.length < 2;
  await setMethod(results.methods[0]);
  const wants = () => shown().filter((item) => item.has_mips && !thumbnails.has(item.id))
    .map(({ id }) => ({ id, line: element(`case-${id}`) }));
  const busy = () => performance.now() - lastInput < IDLE_MS || pending > 0;
  readThumbnails({ list: element("cases"), wanted: wants, busy, read: readThumbnail });
}

start().catch((error) => {
  blank(error.message);
  throw error;
});
