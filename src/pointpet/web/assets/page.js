// What both pages share: theme, grey scale, status line, notices, words for numbers.

export const element = (id) => document.getElementById(id);

export function number(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value !== 0 && Math.abs(value) < 1) return value.toFixed(2);
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.max(Math.abs(value), 1))));
  return value.toFixed(decimals);
}

export const FLAG_WORDS = {
  empty: "Nothing was outlined here",
  map_empty: "A view's activation map is empty",
  maps_disagree_on_z: "The two views point to different heights",
  low_class_probability: "The class is uncertain",
  hull_touches_border: "The region reaches the edge of the scan",
  cold_point: "Low uptake here: a second click on the rim may help",
  large_mask: "Very large: it may have leaked into an organ",
  phantom_trained_model: "The model was trained on phantoms: to try the tool, not for patients",
};

export const flagWords = (flag) => FLAG_WORDS[flag] ?? flag.replaceAll("_", " ");

export function isTyping(target) {
  return target instanceof Element && target.matches("input[type=text], textarea, select");
}

export function setTheme(name) {
  document.documentElement.dataset.theme = name;
  localStorage.setItem("pointpet-theme", name);
}

export function toggleTheme() {
  setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
}

// A button pressed with the mouse gives the keys back to the page.
export function releaseFocusAfterClicks() {
  document.addEventListener("pointerup", (event) => {
    const button = event.target.closest?.("button, input[type=range]");
    if (button && !button.closest("dialog")) button.blur();
  });
}

export function notice(text, action = null) {
  const line = element("notice");
  line.hidden = !text;
  line.querySelector("p").textContent = text ?? "";
  const button = line.querySelector("button");
  button.hidden = !action;
  if (action) {
    button.textContent = action.label;
    button.onclick = action.run;
  }
}

// Links the grey scale's controls and remembers its state.
export function connectWindow(grey, { range, output, invert }) {
  const known = JSON.parse(localStorage.getItem("pointpet-window") ?? "{}");
  const show = () => {
    range.value = grey.upper;
    output.textContent = grey.upper.toFixed(1);
    localStorage.setItem("pointpet-window", JSON.stringify({ upper: grey.upper, inverted: grey.inverted }));
  };
  grey.listeners.push(show);
  range.addEventListener("input", () => grey.set(Number(range.value)));
  invert.addEventListener("click", () => grey.set(grey.upper, !grey.inverted));
  grey.set(known.upper ?? grey.upper, known.inverted ?? true);
}

// Sizes pictures that share their height in mm so that they fill `box` side by side, each exactly as wide as its image.
export function layoutSideBySide(box, pictures, { gap = 24, caption = 26 } = {}) {
  const shown = pictures.filter((picture) => picture.image);
  if (!shown.length) return;
  const rows = Math.max(...shown.map((picture) => picture.image.shape[0]));
  const columns = shown.reduce((sum, picture) => sum + picture.image.shape[1], 0);
  const width = box.clientWidth - gap * (shown.length - 1) - 2;
  const height = box.clientHeight - caption - 2;
  const scale = Math.max(Math.min(width / columns, height / rows), 0.1);
  for (const picture of shown) {
    const [h, w] = picture.image.shape;
    picture.resize(Math.round(w * scale), Math.round(h * scale));
  }
}

// World axes along a picture's columns and along its rows. Both run against the world's axes: the head and the front come
// first, and the patient's right is at the left.
export const AXES = { coronal: [0, 2], sagittal: [1, 2], axial: [0, 1] };

export function pixelOf(name, point, frame) {
  const place = (axis) => frame.cells[axis] - 1 - (point[axis] - frame.origin_mm[axis]) / frame.pixel_mm;
  const [across, up] = AXES[name];
  return [place(up), place(across)];
}

// `point` moved within a slice to (row, column).
export function movedTo(name, point, row, column, frame) {
  const moved = [...point];
  const [across, up] = AXES[name];
  for (const [axis, place] of [[across, column], [up, row]]) {
    const value = frame.origin_mm[axis] + (frame.cells[axis] - 1 - place) * frame.pixel_mm;
    moved[axis] = Math.round(value * 100) / 100;
  }
  return moved;
}

// R and L, A and P at the upper corners of a picture.
export function drawSides(context, name, width, inverted) {
  const [left, right] = name === "sagittal" ? ["A", "P"] : ["R", "L"];
  context.fillStyle = inverted ? "#8b939a" : "#a9b1b8";
  context.font = "600 11px sans-serif";
  context.textAlign = "left";
  context.fillText(left, 7, 17);
  context.textAlign = "right";
  context.fillText(right, width - 7, 17);
  context.textAlign = "left";
}

// Thumbnails come one at a time, for cases in sight, while nobody works. `list`: the element that scrolls; `wanted()`:
// cases in order, each with its `line` element; `busy()`: true while there is something better to do.
export async function readThumbnails({ list, wanted, busy, read }) {
  for (;;) {
    await new Promise((resolve) => { setTimeout(resolve, 150); });
    if (document.hidden || busy()) continue;
    const frame = list.getBoundingClientRect();
    const item = wanted().find(({ line }) => {
      const box = line?.getBoundingClientRect();
      return box && box.bottom > frame.top - 200 && box.top < frame.bottom + 200;
    });
    if (item && !(await read(item.id))) return;
  }
}
