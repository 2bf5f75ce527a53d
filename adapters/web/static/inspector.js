// The record of the thread exactly as it is kept: stored rows, one below the other, and the mail that no turn has taken.

import { h } from "./dom.js";
import { jsonNodes } from "./tools.js";

const REST_MS = 150;
const LOOK_AGAIN_MS = 2500;

export class Inspector {
  #rows = [];
  #inbox = "";
  #timer = 0;
  #isAsking = false;
  #thread = "";

  constructor({ pane, list, summary, api }) {
    Object.assign(this, { pane, list, summary, api });
  }

  get isOpen() {
    return !this.pane.hidden;
  }

  /** Show another thread, or none. */
  open(thread) {
    clearTimeout(this.#timer);
    this.#thread = thread;
    this.#rows = [];
    this.#inbox = "";
    this.list.replaceChildren();
    this.summary.textContent = thread ? "" : "Nothing is kept yet. Say something, and watch it appear here.";
    this.refresh();
  }

  /** Something happened in the thread: look at the record again, soon. `all`: also at what was seen before. */
  refresh(all = false) {
    if (all) this.#rows = [];
    if (!this.isOpen || !this.#thread) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), REST_MS);
  }

  async #look() {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const thread = this.#thread;
    const start = this.#rows.length;
    try {
      const record = await this.api.ask("GET", `threads/${thread}/record`, undefined, { start: String(start) });
      if (thread === this.#thread && start === this.#rows.length) this.#show(record, start);
    } catch {
      this.summary.textContent = "The record cannot be read at the moment.";
    }
    this.#isAsking = false;
    clearTimeout(this.#timer);
    if (this.isOpen && !document.hidden) this.#timer = setTimeout(() => this.#look(), LOOK_AGAIN_MS);
  }

  #show(record, start) {
    const inbox = JSON.stringify(record.inbox);
    if (start === 0) this.list.querySelectorAll(".entry").forEach((node) => node.remove());
    if (!record.rows.length && inbox === this.#inbox && start > 0) return;
    this.#inbox = inbox;
    this.#rows.push(...record.rows);
    this.list.querySelectorAll(".is-waiting").forEach((node) => node.remove());
    record.rows.forEach((row, index) => this.list.append(entry(row, `${start + index}`)));
    record.inbox.forEach((row) => this.list.append(entry(row, "inbox", "is-waiting")));
    const count = this.#rows.length;
    this.summary.textContent = count || record.inbox.length ? `${count} ${count === 1 ? "row" : "rows"}${record.inbox.length ? ` · ${record.inbox.length} in the inbox` : ""}` : "Nothing is on the record yet.";
    this.summary.title = record.key;
  }
}

/** A row: a line that says what it is, and the whole of it. */
function entry(row, number, more = "") {
  const { kind, text } = gist(row);
  const bytes = new TextEncoder().encode(JSON.stringify(row)).length;
  return h("li", { class: `entry ${more}`, dataset: { kind } },
    h("details", {}, h("summary", {}, h("span", { class: "entry-number" }, number), h("span", { class: "entry-kind" }, kind), h("span", { class: "entry-gist", dir: "auto" }, text)),
      h("pre", { tabindex: "0" }, ...jsonNodes(row)), h("p", { class: "faint" }, `${bytes} bytes`)));
}

/** What a row is about, found by what rows have in common; a row that is told otherwise is shown all the same. */
function gist(row) {
  const wire = row.wire ?? row.message ?? row;
  const role = row.kind ?? row.type ?? wire.role ?? "row";
  const calls = wire.tool_calls?.map((call) => call.function?.name).join(", ");
  const content = typeof wire.content === "string" ? wire.content : row.text ?? "";
  const spoken = String(content).replace(/^\[(?:from|colleague|note)[^\]]*\]\s*/, "").replace(/\s+/g, " ");
  return { kind: String(role), text: [calls ? `→ ${calls}` : "", spoken].filter(Boolean).join(" ") || "—" };
}
