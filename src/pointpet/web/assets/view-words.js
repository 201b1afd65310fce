// What stands at the right of a case: classes, measures, lesions, verdict.

import { actions, history, neighbour, session, shown, view } from "./view-state.js";
import { element, flagWords, number } from "./page.js";

export function showHead() {
  const list = shown();
  element("case-name").textContent = session.current;
  element("previous").disabled = !neighbour(-1);
  element("next").disabled = !neighbour(1);
  element("undo").disabled = !history.length;
  const place = `${list.findIndex((item) => item.id === session.current) + 1} of ${list.length}`;
  element("case-hint").textContent = view.corrects ? "Click the tumour: its mask is drawn and saved" : place;
}

export function showWords() {
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

export function showLesions() {
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
    button.addEventListener("click", () => actions.jumpTo(index));
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

export function showVerdict() {
  const verdict = view.detail?.review.verdict ?? "";
  document.querySelectorAll("[data-verdict]").forEach((button) => {
    button.setAttribute("aria-pressed", String(button.dataset.verdict === verdict));
    button.dataset.waiting = String(button.dataset.verdict === "corrected" && view.corrects);
  });
  showHead();
}
