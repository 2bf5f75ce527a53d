// The middle of the page: a thread's items in order, the text that is being written, and where the reader stands in it.

import { h, icon } from "./dom.js";
import { renderItem } from "./items.js";
import { showMarkdown } from "./markdown.js";

const NEAR_END_PX = 120;
const SILENT_MS = 20_000;

export class Conversation {
  #items = new Map();
  #nodes = new Map();
  #live = null;
  #silence = 0;
  #frame = 0;
  #follows = true;

  constructor({ scroller, list, thinking, announcer, toEnd, context, onchange }) {
    Object.assign(this, { scroller, list, thinking, announcer, toEnd, onchange });
    this.context = { ...context, isOver: (turn) => this.#isAnswered(turn), votes: new Map(), explained: new Set() };
    scroller.addEventListener("scroll", () => this.#noticePlace(), { passive: true });
    toEnd.addEventListener("click", () => this.scrollToEnd());
    new ResizeObserver(() => this.#follows && this.scrollToEnd()).observe(list);
  }

  get isWriting() {
    return this.#live !== null;
  }

  get isEmpty() {
    return this.#items.size === 0;
  }

  clear() {
    this.#items.clear();
    this.#nodes.clear();
    this.list.replaceChildren();
    this.#endLive();
    this.#follows = true;
    this.onchange();
  }

  /** Take items as the log has them; the later one of an id stands for it. */
  take(items) {
    for (const item of items) this.#put(item);
    for (const item of items) if (item.kind === "answer" && !item.pending) this.#settle(item);
    this.#arrange();
    this.onchange();
  }

  /** Show a message before the server has it. */
  showSending(item) {
    this.#follows = true;
    this.#put({ ...item, sending: true });
    this.#arrange();
    this.onchange();
  }

  takeBack(id) {
    this.#drop(id);
    this.onchange();
  }

  items() {
    return [...this.#items.values()];
  }

  /** Change the text that is being written. */
  live(change) {
    clearTimeout(this.#silence);
    if (change.end) {
      this.#endLive();
      return this.onchange();
    }
    this.#silence = setTimeout(() => this.#endLive() ?? this.onchange(), SILENT_MS);
    if (change.beat) return undefined;
    const goesOn = this.#live?.turn === change.turn && !change.reset;
    this.#live = { turn: change.turn, text: (goesOn ? this.#live.text : "") + change.text };
    this.#frame ||= requestAnimationFrame(() => this.#showLive());
    this.#arrange();
    return this.onchange();
  }

  scrollToEnd() {
    this.#follows = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.#noticePlace();
  }

  rerender(id) {
    if (this.#items.has(id)) this.#put({ ...this.#items.get(id), last: false });
  }

  voted(turn, value) {
    this.context.votes.set(turn, value);
    this.rerender(`answer:${turn}`);
  }

  explained(turn) {
    this.context.explained.add(turn);
    this.rerender(`answer:${turn}`);
  }

  #put(item) {
    const old = this.#items.get(item.id);
    if (item.pending && old && !old.sending) return;
    if (item.gone) return void this.#drop(item.id);
    if (item.pending && item.kind !== "answer") {
      if (!old) this.#items.set(item.id, item);
      return;
    }
    if (item.pending && this.#isAnswered(item.turn)) return;
    this.#items.set(item.id, item);
    const node = renderItem(item.pending ? { ...item, live: true, text: "" } : item, this.context);
    const shown = this.#nodes.get(item.id);
    this.#nodes.set(item.id, node);
    const wasOpen = shown?.querySelector("details")?.open;
    if (wasOpen) node.querySelector("details").open = true;
    if (!shown) this.#place(item, node);
    else if (item.last) {
      shown.remove();
      this.list.append(node);
    } else shown.replaceWith(node);
    if (!shown && this.settled) node.classList.add("is-arriving");
  }

  /** A message that was sent from here stands where the server put it: before everything that has no earlier place. */
  #place(item, node) {
    const order = [...this.#items.keys()];
    const next = order.slice(order.indexOf(item.id) + 1).find((id) => this.#nodes.get(id)?.isConnected);
    if (next) this.list.insertBefore(node, this.#nodes.get(next));
    else this.list.append(node);
  }

  #drop(id) {
    this.#nodes.get(id)?.remove();
    this.#nodes.delete(id);
    this.#items.delete(id);
  }

  #isAnswered(turn) {
    const item = this.#items.get(`answer:${turn}`);
    return Boolean(item && !item.pending);
  }

  /** An answer is committed: it stands in the place of its live text, and calls without a result are over. */
  #settle(answer) {
    if (this.#live?.turn === answer.turn) this.#live = null;
    for (const item of this.#items.values()) {
      if (item.kind === "tool" && item.turn === answer.turn && item.state === "running") this.rerender(item.id);
    }
    if (this.settled && answer.text) this.announcer.textContent = `Frontdesk: ${answer.text}`;
  }

  #showLive() {
    this.#frame = 0;
    const node = this.#live && this.#nodes.get(`answer:${this.#live.turn}`);
    const words = node?.querySelector(".answer.is-live .prose");
    if (words) showMarkdown(words, this.#live.text);
  }

  #endLive() {
    clearTimeout(this.#silence);
    this.#live = null;
    this.thinking.hidden = true;
  }

  #arrange() {
    const isThinking = this.#live !== null && !this.#live.text;
    if (isThinking && this.thinking.hidden && this.settled) this.announcer.textContent = "Frontdesk is thinking";
    this.thinking.hidden = !isThinking;
    if (this.#live?.text) this.#frame ||= requestAnimationFrame(() => this.#showLive());
    if (this.#follows) this.scrollToEnd();
    else this.#noticePlace();
  }

  #noticePlace() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.#follows = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    this.toEnd.hidden = this.#follows;
  }
}

/** The line that says that somebody is at work before there are words. */
export function thinkingLine() {
  return h("div", { class: "thinking", hidden: true }, h("span", { class: "avatar is-bot", "aria-hidden": "true" }, icon("bell")),
    h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")), h("span", { class: "unseen" }, "Frontdesk is thinking"));
}
