// Cards for tool calls, and the receipt as the table that it is.

import { h, icon } from "./dom.js";

const TITLES = {
  get_order_status: "Looked up an order",
  create_customer_ticket: "Opened a ticket",
  get_ticket_status: "Looked up a ticket",
  verify_user: "Checked an identity",
  analyze_receipt_image: "Read a receipt",
  hand_over_to_human: "Called a colleague",
};
const RUNNING = {
  get_order_status: "Looking up an order",
  create_customer_ticket: "Opening a ticket",
  get_ticket_status: "Looking up a ticket",
  verify_user: "Checking an identity",
  analyze_receipt_image: "Reading a receipt",
  hand_over_to_human: "Calling a colleague",
};

/** A tool call. `isOver`: its turn has been answered, so a call without a result was cut off. */
export function toolCard(item, isOver) {
  const isReceipt = item.state === "finished" && !item.is_error && Array.isArray(item.result?.items) && "total_in_cents" in item.result;
  const state = item.state === "running" ? (isOver ? "cut" : "running") : item.is_error ? "failed" : "done";
  const details = h("details", { class: "tool", dataset: { state } },
    h("summary", {},
      h("span", { class: "tool-mark" }, state === "running" ? h("span", { class: "spinner", role: "img", "aria-label": "running" }) : icon({ done: "check", failed: "block", cut: "stop" }[state])),
      h("span", { class: "tool-title" }, title(item, state)),
      h("code", { class: "tool-name" }, item.name),
      state === "done" || state === "failed" ? h("span", { class: "tool-time" }, duration(item.duration_ms)) : null,
      icon("down")),
    h("div", { class: "tool-body" },
      section("Arguments", item.arguments),
      item.state === "finished" ? section(item.is_error ? "Refused or failed" : "Result", item.result) : null));
  return isReceipt ? h("div", { class: "tool-pair" }, details, receipt(item.result)) : details;
}

function title(item, state) {
  if (state === "running") return `${RUNNING[item.name] ?? "Using a tool"}…`;
  if (state === "cut") return "Did not finish";
  if (state === "done") return TITLES[item.name] ?? "Used a tool";
  const why = { verification_required: "Needs verification first", not_verified: "Needs verification first", not_found: "Found nothing" };
  return why[item.result?.error] ?? "Could not do it";
}

function duration(ms) {
  if (!ms) return "";
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function section(name, value) {
  return h("section", {}, h("h4", {}, name), h("pre", { tabindex: "0" }, ...jsonNodes(value)));
}

/** A JSON value, indented, its parts marked for colour. */
export function jsonNodes(value, indent = "") {
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    if (!value.length) return ["[]"];
    return ["[\n", ...value.flatMap((part, index) => [deeper, ...jsonNodes(part, deeper), index < value.length - 1 ? ",\n" : "\n"]), `${indent}]`];
  }
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value);
    if (!entries.length) return ["{}"];
    return ["{\n", ...entries.flatMap(([key, part], index) => [
      deeper, h("span", { class: "json-key" }, JSON.stringify(key)), ": ", ...jsonNodes(part, deeper), index < entries.length - 1 ? ",\n" : "\n",
    ]), `${indent}}`];
  }
  return [h("span", { class: `json-${value === null ? "null" : typeof value}` }, JSON.stringify(value) ?? "null")];
}

function money(cents, currency) {
  try {
    const format = new Intl.NumberFormat("en", { style: "currency", currency });
    return format.format(cents / 100);
  } catch {
    return `${(cents / 100).toFixed(2)} ${currency ?? ""}`.trim();
  }
}

function receipt(result) {
  const { items, currency, total_in_cents: total } = result;
  const quantity = (item) => Number(item.quantity ?? 1);
  const rows = items.map((item) => h("tr", {},
    h("td", { dir: "auto" }, String(item.name ?? "")),
    h("td", { class: "number" }, quantity(item) === 1 ? "1" : `${quantity(item)} × ${money(item.price_in_cents, currency)}`),
    h("td", { class: "number" }, money(item.price_in_cents * quantity(item), currency))));
  const agrees = result.sums_agree !== false;
  const verdict = agrees
    ? h("p", { class: "receipt-check" }, icon("check"), "The items add up to the total.")
    : h("p", { class: "receipt-check is-off" }, icon("alert"), `The items and the total differ by ${money(Math.abs(result.difference_in_cents ?? 0), currency)}.`);
  return h("figure", { class: "receipt" },
    h("figcaption", {}, h("span", {}, "Receipt"), result.date ? h("time", {}, String(result.date).replace("T", " ").replace(/(\d\d:\d\d):\d\d.*$/, "$1")) : null),
    h("table", {},
      h("thead", { class: "unseen" }, h("tr", {}, h("th", {}, "Item"), h("th", {}, "Quantity"), h("th", {}, "Amount"))),
      h("tbody", {}, rows),
      h("tfoot", {}, h("tr", {}, h("th", { colspan: "2", scope: "row" }, "Total"), h("td", { class: "number" }, money(total, currency))))),
    verdict);
}
