// Saving: one change after the other, in the order made. The server confirms what is on its disk.

import { actions, history, said, session } from "./annotate-state.js";
import { element, notice } from "./page.js";
import { RequestError, sendJson } from "./requests.js";

export let saving = Promise.resolve();
export let pending = 0;

export function queue(work) {
  pending += 1;
  showState("saving");
  const done = saving.then(work);
  saving = done.catch(() => {}).finally(() => {
    pending -= 1;
    if (!pending && element("state").dataset.kind === "saving") showState("saved");
  });
  return done;
}

function showState(kind) {
  const words = { saving: "Saving", saved: "Saved", failed: "Not saved" };
  element("state").dataset.kind = kind;
  element("state").textContent = words[kind];
}

export function failed(error) {
  showState("failed");
  if (error instanceof RequestError && error.status === 409 && error.content?.case) {
    take(error.content.case);
    notice("This case was changed in another window. What you see is its state now.", close);
    return;
  }
  notice(`Not saved: ${error.message}`, close);
}
export const close = { label: "Close", run: () => notice(null) };

// The server's answer becomes the case's state; changes still on their way are drawn on top of it.
export function take(state) {
  const item = session.byId.get(state.id);
  item.saved = said(state);
  item.revision = state.revision;
  drawEdits(item);
}

function drawEdits(item) {
  Object.assign(item, structuredClone(item.saved));
  item.edits.forEach((edit) => edit(item));
  actions.show(item);
}

// `edit(state)` changes what is said of a case. It is drawn at once, and applied to the saved state when its turn to be
// sent comes, so that a click before it is never undone; where it returns false then, nothing is sent.
export function change(id, edit, { remembers = true } = {}) {
  const item = session.byId.get(id);
  item.edits.push(edit);
  drawEdits(item);
  const settle = () => { item.edits = item.edits.filter((other) => other !== edit); };
  return queue(async () => {
    const before = item.saved;
    const wanted = structuredClone(before);
    if (edit(wanted) !== false) {
      const state = await sendJson("PUT", `/api/cases/${id}/annotation`, { ...wanted, revision: item.revision });
      if (remembers) history.push({ id, before });
      settle();
      take(state);
    }
  }).catch(failed).finally(() => {
    settle();
    drawEdits(item);
  });
}
