// Accept, reject, correct, comment, undo: each is saved before the page shows it as saved.

import { refreshItem, showProgress } from "./view-list.js";
import { actions, close, history, nextOpen, packedOnce, session, view } from "./view-state.js";
import { showVerdict } from "./view-words.js";
import { element, notice } from "./page.js";
import { getJson, sendJson } from "./requests.js";

export let pending = 0;

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

export async function decide(verdict) {
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
  if (saved && next) actions.open(next.id);
}

function startCorrection() {
  if (!view.detail.has_volume) {
    notice("A correction needs the scan: start the viewer with --images.", close);
    return;
  }
  view.corrects = !view.corrects;
  if (session.tab !== "slices") actions.setTab("mips");
  showVerdict();
}

export async function correctAt(point) {
  view.corrects = false;
  const drawn = showCorrected(point); // under the click, while it is being saved
  const saved = await send(session.method, session.current, { verdict: "corrected", point, comment: typed() });
  await drawn;
  if (saved) return;
  view.corrected = null;
  actions.draw();
}

export async function showCorrected([x, y, z]) {
  const id = session.current;
  try {
    const found = await packedOnce(`/api/cases/${id}/lesion?x=${x}&y=${y}&z=${z}`);
    if (id !== session.current) return;
    view.corrected = found.header;
    actions.setPoint([x, y, z]);
    showVerdict();
  } catch (error) {
    notice(`No outline: ${error.message}`, close);
  }
}

export async function saveComment() {
  const review = view.detail?.review;
  if (!review || typed() === review.comment) return;
  await send(session.method, session.current, { verdict: review.verdict, point: review.point, comment: typed() });
}

export async function undo() {
  const last = history.pop();
  if (!last) return;
  if (last.method !== session.method) await actions.setMethod(last.method);
  if (last.id !== session.current) await actions.open(last.id);
  await send(last.method, last.id, last.before, { remembers: false });
  element("comment").value = last.before.comment;
  view.corrected = null;
  if (last.before.point) showCorrected(last.before.point);
  actions.draw();
}
