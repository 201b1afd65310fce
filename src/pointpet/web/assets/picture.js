// A picture of SUV on a canvas: grey scale by window, zoom, pan, drawings on top, clicks in picture pixels.
// Picture pixels are (row, column), 0 at a pixel's centre; the canvas shows the whole picture at zoom 1.

const DRAG_PX = 4; // a press that moves less is a click
const MOST_ZOOM = 12;

// The grey scale that all pictures of a page share.
export class Window {
  constructor(upper = 7, inverted = true) {
    this.defaultUpper = upper;
    this.upper = upper;
    this.inverted = inverted;
    this.listeners = [];
  }
  set(upper, inverted = this.inverted) {
    this.upper = Math.min(Math.max(upper, 0.5), 100);
    this.inverted = inverted;
    this.listeners.forEach((listener) => listener(this));
  }
  scale(factor) { this.set(this.upper * factor); }
  reset() { this.set(this.defaultUpper); }
}

export class Picture {
  // `handlers`: click(row, column), hover(row, column or null), draw(context, place), where place(row, column) gives
  // canvas pixels (CSS).
  constructor(canvas, grey, handlers = {}) {
    this.canvas = canvas;
    this.grey = grey;
    this.handlers = handlers;
    this.image = null;
    this.tints = []; // { source, extent: [top, left, bottom, right] in picture pixels }
    this.source = document.createElement("canvas");
    this.width = this.height = 0;
    this.zoom = 1;
    this.centre = null; // (row, column) in the middle of the canvas; null at zoom 1
    this.linked = [];
    this.cursor = null;
    this.baseZoom = 1;
    this.roams = false; // true: the middle may be anywhere, so that what is beyond the border shows as blank
    grey.listeners.push(() => this.render());
    this.#listen();
  }

  // `image`: { values, shape, step }, row by row.
  show(image) {
    this.image = image;
    this.levels = softened(image);
    this.render();
  }

  clear() {
    this.image = null;
    this.draw();
  }

  // Size on the page, CSS pixels.
  resize(width, height) {
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
    }
    this.width = width;
    this.height = height;
    this.draw();
  }

  look(zoom, centre) {
    this.zoom = Math.min(Math.max(zoom, 1), MOST_ZOOM);
    this.centre = centre;
    this.draw();
  }

  // CSS pixels of one picture pixel.
  get pixel() {
    const [rows, columns] = this.image.shape;
    return Math.min(this.width / columns, this.height / rows) * this.zoom * this.baseZoom;
  }

  // Row and column at the canvas's upper left corner (fractional, 0 at a pixel's centre).
  get corner() {
    const [rows, columns] = this.image.shape;
    const size = this.pixel;
    const [shownRows, shownColumns] = [this.height / size, this.width / size];
    const [row, column] = this.centre ?? [(rows - 1) / 2, (columns - 1) / 2];
    if (this.roams) return [row - shownRows / 2, column - shownColumns / 2];
    const limit = (value, shown, count) =>
      shown >= count - 1e-6 ? (count - shown) / 2 - 0.5 : Math.min(Math.max(value - shown / 2, -0.5), count - shown - 0.5);
    return [limit(row, shownRows, rows), limit(column, shownColumns, columns)];
  }

  place(row, column) {
    const [top, left] = this.corner;
    return [(column - left) * this.pixel, (row - top) * this.pixel];
  }

  picturePoint(x, y) {
    const [top, left] = this.corner;
    return [top + y / this.pixel, left + x / this.pixel];
  }

  valueAt(row, column) {
    if (!this.image) return null;
    const [rows, columns] = this.image.shape;
    const [r, c] = [Math.round(row), Math.round(column)];
    if (r < 0 || c < 0 || r >= rows || c >= columns) return null;
    return this.image.values[r * columns + c] * this.image.step;
  }

  // Grey levels anew: after another image, window or theme.
  render() {
    if (!this.image) return;
    const [rows, columns] = this.image.shape;
    const values = this.levels;
    const { step } = this.image;
    if (this.source.width !== columns || this.source.height !== rows) {
      this.source.width = columns;
      this.source.height = rows;
    }
    const context = this.source.getContext("2d");
    const pixels = context.createImageData(columns, rows);
    const words = new Uint32Array(pixels.data.buffer);
    const table = greyTable(this.grey, paperOf(this.canvas));
    const factor = (step / this.grey.upper) * 255;
    for (let i = 0; i < words.length; i += 1) {
      const level = values[i] * factor;
      words[i] = table[level > 255 ? 255 : level | 0];
    }
    context.putImageData(pixels, 0, 0);
    this.draw();
  }

  draw() {
    const context = this.canvas.getContext("2d");
    const ratio = window.devicePixelRatio || 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (!this.image || !this.width) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    const [top, left] = this.corner;
    const size = this.pixel;
    const [rows, columns] = this.image.shape;
    context.drawImage(this.source, (-0.5 - left) * size, (-0.5 - top) * size, columns * size, rows * size);
    for (const { source, extent: [up, start, down, end] } of this.tints) {
      context.drawImage(source, (start - left) * size, (up - top) * size, (end - start) * size, (down - up) * size);
    }
    this.handlers.draw?.(context, (row, column) => this.place(row, column), this);
    if (this.cursor) drawCross(context, this.place(...this.cursor), this.width, this.height, 1);
  }

  #listen() {
    const { canvas } = this;
    let press = null;
    const local = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.image) return;
      event.preventDefault(); // the page's keys stay in force: a click does not take the focus
      document.activeElement?.blur?.();
      canvas.setPointerCapture(event.pointerId);
      const centre = this.picturePoint(this.width / 2, this.height / 2);
      press = { at: local(event), button: event.button, moved: false, upper: this.grey.upper, centre };
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.image) return;
      const [x, y] = local(event);
      if (!press) {
        this.handlers.hover?.(...this.picturePoint(x, y));
        return;
      }
      const [dx, dy] = [x - press.at[0], y - press.at[1]];
      if (!press.moved && Math.hypot(dx, dy) < DRAG_PX) return;
      press.moved = true;
      if (press.button === 2) this.grey.set(press.upper * Math.exp((dy - dx) / 160));
      else this.#pan([press.centre[0] - dy / this.pixel, press.centre[1] - dx / this.pixel]);
    });
    canvas.addEventListener("pointerup", (event) => {
      if (press && !press.moved && press.button === 0) {
        const [row, column] = this.picturePoint(...local(event));
        const [rows, columns] = this.image.shape;
        const inside = row > -0.5 && column > -0.5 && row < rows - 0.5 && column < columns - 0.5;
        if (inside) this.handlers.click?.(row, column);
      }
      press = null;
    });
    canvas.addEventListener("pointercancel", () => { press = null; });
    canvas.addEventListener("pointerleave", () => this.handlers.hover?.(null, null));
    canvas.addEventListener("wheel", (event) => {
      if (!this.image) return;
      event.preventDefault();
      this.#zoomAt(local(event), Math.exp(-event.deltaY / 400));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => { this.cursor = null; this.draw(); });
  }

  #pan(centre) {
    if (this.zoom <= 1 && this.baseZoom <= 1) return;
    this.look(this.zoom, centre);
    this.linked.forEach((other) => other.follow(this));
  }

  #zoomAt([x, y], factor) {
    const [row, column] = this.picturePoint(x, y);
    const zoom = Math.min(Math.max(this.zoom * factor, 1), MOST_ZOOM);
    this.zoom = zoom;
    const size = this.pixel;
    this.look(zoom, [row + (this.height / 2 - y) / size, column + (this.width / 2 - x) / size]);
    this.linked.forEach((other) => other.follow(this));
  }

  // The other view of the same body: same zoom, same height.
  follow(other) {
    if (!this.image) return;
    const column = this.focusColumn?.() ?? this.picturePoint(this.width / 2, 0)[1];
    this.look(other.zoom, [other.picturePoint(0, other.height / 2)[0], column]);
  }

  zoomBy(factor) { this.#zoomAt([this.width / 2, this.height / 2], factor); }

  // With the keyboard alone: arrows move a cross hair, Space marks.
  #key(event) {
    if (!this.image) return;
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const [rows, columns] = this.image.shape;
    if (steps[event.key]) {
      const far = event.shiftKey ? 10 : 2;
      const [row, column] = this.cursor ?? this.picturePoint(this.width / 2, this.height / 2);
      this.cursor = [
        Math.min(Math.max(row + steps[event.key][0] * far, 0), rows - 1),
        Math.min(Math.max(column + steps[event.key][1] * far, 0), columns - 1),
      ];
      this.handlers.hover?.(...this.cursor);
      this.draw();
    } else if (event.key === " ") {
      if (this.cursor) this.handlers.click?.(...this.cursor);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

// For the eye only: a picture whose pixels repeat a coarser voxel is interpolated, so that it shows no steps.
function softened({ values, shape: [rows, columns] }) {
  let result = values;
  for (const [stride, length] of [[1, columns], [columns, rows]]) {
    let pairs = 0;
    let equal = 0;
    for (let i = 0; i + stride < values.length; i += 7) {
      if (values[i] && (stride > 1 || (i + 1) % columns)) {
        pairs += 1;
        if (values[i] === values[i + stride]) equal += 1;
      }
    }
    if (length < 3 || equal < 0.3 * pairs) continue;
    const source = result;
    result = new Float32Array(values.length);
    for (let i = 0; i < values.length; i += 1) {
      const place = stride === 1 ? i % columns : Math.floor(i / columns);
      const before = place > 0 ? source[i - stride] : source[i];
      const after = place < length - 1 ? source[i + stride] : source[i];
      result[i] = (before + 2 * source[i] + after) / 4;
    }
  }
  return result;
}

// The colour of SUV 0: white, softened where the room is dark.
function paperOf(canvas) {
  const colour = getComputedStyle(canvas).getPropertyValue("--image").trim();
  return parseInt(colour.slice(1, 3), 16) || 255;
}

function greyTable(grey, paper) {
  const table = new Uint32Array(256);
  for (let level = 0; level < 256; level += 1) {
    const value = grey.inverted ? Math.round((1 - level / 255) * paper) : Math.round((level / 255) * paper);
    table[level] = 0xff000000 | (value << 16) | (value << 8) | value;
  }
  return table;
}

// A cross hair that leaves its middle free.
export function drawCross(context, [x, y], width, height, strength = 0.7, colour = null) {
  const gap = 13;
  context.save();
  context.globalAlpha = strength;
  context.strokeStyle = colour ?? accentOnImage();
  context.lineWidth = 1;
  context.beginPath();
  for (const [ax, ay, bx, by] of [[0, y, x - gap, y], [x + gap, y, width, y], [x, 0, x, y - gap], [x, y + gap, x, height]]) {
    context.moveTo(ax, ay);
    context.lineTo(bx, by);
  }
  context.stroke();
  context.restore();
}

// Outlines: `[{ contours, colour, width, dash }]`, contours being closed lines of (row, column). A light edge lies below
// all of them, so that they show on black and on white and none hides another.
export function drawOutlines(context, place, outlines) {
  const paths = outlines.filter(({ contours }) => contours?.length).map(({ contours, ...look }) => {
    const path = new Path2D();
    for (const line of contours) {
      line.forEach(([row, column], index) => {
        const [x, y] = place(row, column);
        if (index) path.lineTo(x, y);
        else path.moveTo(x, y);
      });
      path.closePath();
    }
    return { path, width: 1.5, dash: [], ...look };
  });
  context.save();
  context.lineJoin = "round";
  context.globalAlpha = 0.75;
  context.strokeStyle = "#ffffff";
  for (const { path, width } of paths) {
    context.lineWidth = width + 1.5;
    context.stroke(path);
  }
  context.globalAlpha = 1;
  for (const { path, width, colour, dash } of paths) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.setLineDash(dash);
    context.stroke(path);
  }
  context.restore();
}

export function drawMarker(context, [x, y], text, colour, strong) {
  context.save();
  context.lineWidth = strong ? 2 : 1.5;
  context.strokeStyle = "#ffffff";
  context.beginPath();
  context.arc(x, y, 4.5, 0, 2 * Math.PI);
  context.stroke();
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, strong ? 3.5 : 3, 0, 2 * Math.PI);
  context.fill();
  if (text) {
    context.font = "600 11px sans-serif";
    context.lineWidth = 3;
    context.strokeText(text, x + 8, y - 6);
    context.fillText(text, x + 8, y - 6);
  }
  context.restore();
}

// Levels (0 to 255) as a veil of one colour: clear below `floor`, `opacity` at the top.
export function veil({ values, shape: [rows, columns] }, [red, green, blue], { opacity = 0.55, floor = 0 } = {}) {
  const source = document.createElement("canvas");
  source.width = columns;
  source.height = rows;
  const context = source.getContext("2d");
  const pixels = context.createImageData(columns, rows);
  const words = new Uint32Array(pixels.data.buffer);
  for (let i = 0; i < words.length; i += 1) {
    const level = values[i] / 255;
    const alpha = level <= floor ? 0 : Math.round(255 * opacity * level);
    words[i] = (alpha << 24) | (blue << 16) | (green << 8) | red;
  }
  context.putImageData(pixels, 0, 0);
  return source;
}

// Colours on pictures stay the same in both themes, since the pictures do.
export const accentOnImage = () => "#0a78d1";
export const TRUTH = "#00965e";
export const PREDICTION = "#c5006e";
export const rgb = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
export const MAP = "#f08214";
