// The list of cases with their thumbnails, and the progress bar.

import { pending } from "./annotate-saving.js";
import { actions, hasPoint, isLeft, lesionCount, session, shown, status } from "./annotate-state.js";
import { element, readThumbnails } from "./page.js";
import { getPicture } from "./requests.js";

const IDLE_MS = 900; // thumbnails are read only while nobody works

export function buildList() {
  const list = element("cases");
  list.replaceChildren(...shown().map((item) => {
    const line = document.createElement("li");
    line.id = `case-${item.id}`;
    const button = document.createElement("button");
    button.innerHTML = '<img class="thumb" alt=""><span class="words"><span class="name"></span><span class="about"></span></span><i class="dot"></i>';
    button.addEventListener("click", () => actions.open(item.id));
    line.append(button);
    return line;
  }));
  shown().forEach((item) => refreshItem(item.id));
  markCurrent();
}

const STATUS_WORDS = { left: "no point", point: "not accepted", done: "done" };

export function refreshItem(id) {
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

export function markCurrent() {
  document.querySelectorAll('#cases [aria-current="true"]').forEach((button) => button.removeAttribute("aria-current"));
  if (session.current && !element(`case-${session.current}`)) buildList();
  const button = element(`case-${session.current}`)?.firstChild;
  button?.setAttribute("aria-current", "true");
  button?.scrollIntoView({ block: "nearest" });
}

export function refreshProgress() {
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
export const noteInput = () => { lastInput = performance.now(); };
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

export function startThumbnails() {
  noteInput(); // the next case's pictures come first
  readThumbnails({ list: element("cases"), wanted: withoutThumbnail, busy, read: readThumbnail });
}
