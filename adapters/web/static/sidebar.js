// The threads on the left.

import { h } from "./dom.js";

/** Show the threads. `current`: the open one; `writing`: those in which an answer is being written. */
export function showThreads(list, threads, current, writing, open) {
  const groups = new Map();
  for (const thread of threads) {
    const name = dayName(thread.at);
    groups.set(name, [...(groups.get(name) ?? []), thread]);
  }
  list.replaceChildren(...[...groups].map(([name, members]) => h("section", {}, h("h2", {}, name),
    h("ul", {}, members.map((thread) => h("li", {}, entry(thread, thread.id === current, writing.has(thread.id), open)))))));
  if (!threads.length) list.append(h("p", { class: "faint nothing" }, "Conversations appear here."));
}

function entry(thread, isCurrent, isWriting, open) {
  const link = h("a", { href: `#${thread.id}`, class: "thread", "aria-current": isCurrent ? "page" : null, dir: "auto" },
    h("span", { class: "thread-title" }, thread.title ?? "Conversation"),
    isWriting ? h("span", { class: "dots", role: "img", "aria-label": "an answer is being written" }, h("i"), h("i"), h("i")) : null,
    thread.badge === "waiting" ? h("span", { class: "badge" }, "colleague") : null);
  link.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    open(thread.id);
  });
  return link;
}

function dayName(at) {
  const day = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
  const days = Math.round((day(new Date()) - day(new Date(at))) / 86_400_000);
  if (days <= 0) return "Today";
  if (days === 1) return "Yesterday";
  return days < 7 ? "This week" : "Earlier";
}
