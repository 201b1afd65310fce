// What the viewer knows: the results, and the case on the screen.

import { notice } from "./page.js";
import { Window } from "./picture.js";
import { getPacked } from "./requests.js";

const KEPT_ANSWERS = 36;

export const session = { methods: [], method: "", cases: [], current: null, filter: "all", sort: "id", tab: "mips" };
export const view = { detail: null, mips: null, overlays: null, slices: null, point: null, lesion: 0, corrects: false, frame: 0 };
export const layers = { map: true, prediction: true, truth: true };
export const history = []; // { method, id, before }
export const grey = new Window(7);

// What a button or a key does; filled in by view.js.
export const actions = {};

export const caseUrl = (rest = "") => `/api/results/${session.method}/${session.current}${rest}`;
export const close = { label: "Close", run: () => notice(null) };

const kept = new Map(); // address -> promise of its packed answer

export function packedOnce(url) {
  if (!kept.has(url)) {
    const promise = getPacked(url);
    promise.catch(() => kept.delete(url)); // asked again next time
    kept.set(url, promise);
    while (kept.size > KEPT_ANSWERS) kept.delete(kept.keys().next().value);
  }
  return kept.get(url);
}

export function shown() {
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

export function neighbour(step) {
  const list = shown();
  return list[list.findIndex((item) => item.id === session.current) + step];
}

export function nextOpen() {
  const list = shown();
  const start = list.findIndex((item) => item.id === session.current);
  const turned = [...list.slice(start + 1), ...list.slice(0, start)];
  return turned.find((item) => !item.verdict) ?? null;
}
