// The list of cases with their thumbnails, and the progress bar.

import { pending } from "./view-verdicts.js";
import { actions, session, shown } from "./view-state.js";
import { element, flagWords, number, readThumbnails } from "./page.js";
import { getPicture } from "./requests.js";

const IDLE_MS = 900; // thumbnails are read only while nobody works
const thumbnails = new Map();

let lastInput = 0;
export const noteInput = () => { lastInput = performance.now(); };

export function buildList() {
  element("cases").replaceChildren(...shown().map((item) => {
    const line = document.createElement("li");
    line.id = `case-${item.id}`;
    const button = document.createElement("button");
    button.innerHTML = '<img class="thumb" alt=""><span class="words"><span class="name"></span><span class="about"></span></span><span class="value"></span><i class="dot"></i>';
    button.addEventListener("click", () => actions.open(item.id));
    line.append(button);
    return line;
  }));
  shown().forEach(refreshItem);
  markCurrent();
}

export function refreshItem(item) {
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

export function markCurrent() {
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

export function showProgress() {
  const total = session.cases.length;
  const done = session.cases.filter((item) => item.verdict).length;
  element("progress").querySelector(".done").style.width = `${(100 * done) / Math.max(total, 1)}%`;
  element("progress").setAttribute("aria-valuenow", done);
  element("progress").setAttribute("aria-valuemax", total);
  element("progress-text").textContent = `${done} of ${total} reviewed`;
}

export function startThumbnails() {
  noteInput(); // the next case's pictures come first
  const wanted = () => shown().filter((item) => item.has_mips && !thumbnails.has(item.id))
    .map(({ id }) => ({ id, line: element(`case-${id}`) }));
  const busy = () => performance.now() - lastInput < IDLE_MS || pending > 0;
  readThumbnails({ list: element("cases"), wanted, busy, read: readThumbnail });
}
