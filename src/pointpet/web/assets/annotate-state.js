// What the annotation page knows: the cohort's cases, and the case on the screen.

import { number } from "./page.js";
import { Window } from "./picture.js";

export const session = { cases: [], byId: new Map(), classes: [], current: null, filter: "all", outline: true };
export const view = {
  lesion: 0, mips: null, lesions: [], shownAt: 0, hiddenMs: 0, confirmsEmpty: false,
  placed: { from: null }, // the view that the lesion's point was set from; a new object for another lesion or case
};
export const history = []; // { id, before }

export const grey = new Window(7);
export const pictures = {};
export const slices = {};

// What a button or a key does; filled in by annotate.js.
export const actions = {};

export const current = () => session.byId.get(session.current);
export const hasPoint = (item) => item.points.length > 0 || Object.values(item.pixels).some((points) => points.length > 0);
export const isLeft = (item) => !item.done && !hasPoint(item);
export const status = (item) => (item.done ? "done" : hasPoint(item) ? "point" : "left");
export const said = ({ label, points, pixels, done, comment, seconds }) =>
  structuredClone({ label, points, pixels, done, comment, seconds });

export function shown() {
  const keeps = { all: () => true, left: isLeft, done: (item) => item.done }[session.filter];
  return session.cases.filter((item) => keeps(item) || item.id === session.current);
}

export const lesionCount = (item) =>
  Math.max(item.points.length, ...Object.values(item.pixels).map((points) => points.length), 0);

export function nextLeft() {
  const { cases } = session;
  const start = cases.indexOf(current());
  for (let step = 1; step < cases.length; step += 1) {
    const item = cases[(start + step) % cases.length];
    if (isLeft(item)) return item;
  }
  return null;
}

export function neighbour(step) {
  const list = shown();
  return list[list.indexOf(current()) + step];
}

export function finished() {
  const seconds = session.cases.map((item) => item.seconds).filter((value) => value !== null).sort((a, b) => a - b);
  const median = seconds.length ? `, ${number(seconds[Math.floor(seconds.length / 2)], 2)} s a case` : "";
  return `All ${session.cases.length} cases have an answer${median}`;
}
