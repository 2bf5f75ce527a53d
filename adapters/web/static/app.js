// Puts the page together: who speaks, which thread is open, and what happens in it.

import { Api } from "./api.js";
import { Composer } from "./composer.js";
import { Conversation, thinkingLine } from "./conversation.js";
import { icon, iconButton } from "./dom.js";
import { Feed } from "./feed.js";
import { Inspector } from "./inspector.js";
import { beginKeys } from "./keys.js";
import { Panes } from "./panes.js";
import { showDeskBar, showSpeakers } from "./people.js";
import { showThreads } from "./sidebar.js";
import { beginTheme, isDark, toggleTheme } from "./theme.js";
import { showWelcome } from "./welcome.js";

const $ = (id) => document.getElementById(id);
const api = new Api();

class Page {
  constructor(session) {
    this.session = session;
    this.me = session.me;
    this.thread = "";
    this.isKnown = false;
    this.mode = "bot";
    this.threads = [];
    this.writing = new Set();
    this.feed = null;
    this.panes = new Panes($("app"), $("sidebar"), $("inspector"), $("backdrop"));
    this.inspector = new Inspector({ pane: $("inspector"), list: $("entries"), summary: $("inspector-summary"), api });
    const thinking = thinkingLine();
    $("thinking").append(thinking);
    this.conversation = new Conversation({
      scroller: $("scroller"), list: $("conversation"), thinking, announcer: $("announcer"), toEnd: $("to-end"),
      context: this.#actions(), onchange: () => this.#showState(),
    });
    this.composer = new Composer({
      form: $("composer"), drop: $("middle"), limits: session.limits,
      on: { send: (sent) => this.send(sent), stop: () => this.#attempt(() => api.ask("POST", `threads/${this.thread}/stop`, {})) },
    });
    this.#build();
  }

  #actions() {
    const page = this;
    const message = (item) => `threads/${page.thread}/messages/${item.id.slice("message:".length)}`;
    return {
      get me() {
        return page.me;
      },
      fileUrl: (file) => api.path(`threads/${page.thread}/files/${file.upload}`),
      edit: (item, text) => page.#attempt(() => api.insist("PATCH", message(item), { text }), true),
      remove: (item) => page.#attempt(() => api.insist("DELETE", message(item)), true),
      submit: (item, fields) => api.ask("POST", `threads/${page.thread}/forms/${encodeURIComponent(item.form)}`, { fields }),
      press: (item, button) => page.#attempt(() => api.ask("POST", `threads/${page.thread}/buttons`, { action: button.action })),
      vote: async (turn, value) => {
        if (await page.#attempt(() => api.ask("POST", `threads/${page.thread}/votes`, { turn, value }))) page.conversation.voted(turn, value);
      },
      explain: async (turn, value, comment) => {
        if (await page.#attempt(() => api.ask("POST", `threads/${page.thread}/votes`, { turn, value, comment }))) page.conversation.explained(turn);
      },
    };
  }

  #build() {
    $("new-icon").replaceWith(icon("plus"));
    $("new").addEventListener("click", () => this.open(""));
    $("bar-left").append(iconButton("menu", "Conversations", () => this.panes.toggle("sidebar"), { class: "icon-button only-narrow", "aria-expanded": "false", "aria-controls": "sidebar" }));
    this.human = iconButton("person", "Ask for a human colleague", () => this.#attempt(() => api.ask("POST", `threads/${this.thread}/buttons`, { action: "human" })));
    $("bar-right").append(this.human);
    $("bar-right").append(iconButton("panel", "The record (I)", () => this.inspect(), { id: "inspect", "aria-expanded": "false", "aria-controls": "inspector" }));
    $("inspector-tools").append(iconButton("close", "Close the record", () => this.inspect(false)));
    document.querySelector(".attach").append(icon("clip"));
    $("to-end").prepend(icon("down"));
    const theme = iconButton("moon", "Dark or light (T)", () => this.toggleTheme());
    $("sidebar-foot").append(theme, iconButton("keyboard", "Keyboard shortcuts (?)", () => $("keys").showModal(), { class: "icon-button only-wide" }));
    this.onTheme = () => theme.replaceChildren(icon(isDark() ? "sun" : "moon"));
    beginTheme(this.onTheme);
    if (this.session.demo) showSpeakers($("speakers"), this.session.speakers, this.me, (id) => this.speakAs(id));
    beginKeys($("keys"), {
      n: ["New conversation", () => this.open("")],
      "/": ["Write", () => $("text").focus()],
      i: ["The record, as it is kept", () => this.inspect()],
      t: ["Dark or light", () => this.toggleTheme()],
      s: ["Speak as the next person", () => this.session.demo && this.#speakNext()],
      "?": ["These shortcuts", () => $("keys").showModal()],
      Escape: ["Stop writing, or close a pane", () => this.#escape()],
    });
    addEventListener("hashchange", () => this.open(threadInAddress()));
    document.querySelector(".skip").addEventListener("click", (event) => {
      event.preventDefault();
      $("text").focus();
    });
  }

  toggleTheme() {
    toggleTheme(this.onTheme);
  }

  #speakNext() {
    const people = this.session.speakers;
    this.speakAs(people[(people.findIndex((person) => person.id === this.me.id) + 1) % people.length].id);
  }

  /** From now on somebody else sits at this keyboard: what only the last one saw goes away. */
  speakAs(id) {
    this.me = this.session.speakers.find((person) => person.id === id);
    api.speaker = id;
    const input = $("speakers").querySelector(`input[value="${CSS.escape(id)}"]`);
    if (input) input.checked = true;
    if (this.isKnown) this.#follow();
    this.#showState();
    $("text").focus();
  }

  inspect(isOpen = !this.inspector.isOpen) {
    this.panes.set("inspector", isOpen);
    if (isOpen) this.inspector.open(this.isKnown ? this.thread : "");
  }

  #escape() {
    if (this.panes.closeDrawers()) return;
    if (this.conversation.isWriting && this.thread) this.composer.on.stop();
  }

  /** Open a thread; none: an empty one. */
  open(id) {
    if (id && id === this.thread) return this.panes.closeDrawers();
    this.feed?.close();
    this.feed = null;
    this.thread = id;
    this.isKnown = Boolean(id);
    this.mode = "bot";
    this.conversation.clear();
    this.composer.say("");
    if (location.hash.slice(1) !== id) history.pushState(null, "", id ? `#${id}` : location.pathname);
    if (id) this.#follow();
    this.inspector.open(id);
    this.panes.closeDrawers();
    this.#showState();
    if (matchMedia("(hover: hover)").matches) $("text").focus();
    return undefined;
  }

  #follow() {
    this.feed?.close();
    this.conversation.clear();
    this.conversation.settled = false;
    this.feed = new Feed(api, this.thread, {
      connected: (isConnected) => ($("offline").hidden = isConnected),
      items: (items) => {
        this.conversation.take(items);
        this.conversation.settled = true;
        this.inspector.refresh(items.some((item) => item.deleted || item.edited));
      },
      live: (change) => this.conversation.live(change),
      state: ({ mode }) => {
        this.mode = mode;
        this.#showState();
      },
      threads: () => this.loadThreads(),
      other: ({ root, writing }) => {
        writing ? this.writing.add(root) : this.writing.delete(root);
        this.#showThreads();
      },
    });
  }

  async send(sent) {
    const id = `message:${sent.id}`;
    const isNew = !this.isKnown;
    if (isNew) {
      this.thread = crypto.randomUUID();
      history.pushState(null, "", `#${this.thread}`);
    }
    const thread = this.thread;
    const isCommand = this.me.is_staff && /^\/support(\s|$)/i.test(sent.text);
    if (!isCommand) {
      const files = sent.files.map((entry) => (entry.canvas ? { canvas: entry.canvas } : { name: entry.name, media_type: entry.file.type, size_bytes: entry.file.size, upload: "" }));
      this.conversation.showSending({ id, kind: "message", author: { organisation: "", ...this.me }, at: new Date().toISOString(), text: sent.text, attachments: files });
    }
    try {
      const outcome = await api.insist("POST", `threads/${thread}/messages`, body(sent));
      if (thread !== this.thread) return;
      if (outcome.verdict === "refused") throw new Error(outcome.text);
      if (isCommand && isNew) this.composer.say(outcome.text);
      if (isNew && !isCommand) {
        this.isKnown = true;
        this.#follow();
        this.inspector.open(thread);
        this.loadThreads();
      }
    } catch (error) {
      if (thread !== this.thread) return;
      this.conversation.takeBack(id);
      this.composer.putBack(sent, error.message);
    }
    if (!this.isKnown) this.thread = "";
    this.#showState();
  }

  async loadThreads() {
    this.threads = await api.ask("GET", "threads");
    this.#showThreads();
    this.#showState();
  }

  #showThreads() {
    showThreads($("threads"), this.threads, this.thread, this.writing, (id) => this.open(id));
  }

  /** Do something; say what went wrong. `all`: the record may read differently further up. */
  async #attempt(act, all = false) {
    try {
      const outcome = await act();
      if (outcome?.verdict === "refused" && outcome.text) this.composer.say(outcome.text);
      this.inspector.refresh(all);
      return true;
    } catch (error) {
      this.composer.say(error.message);
      return false;
    }
  }

  #showState() {
    const isWriting = this.conversation.isWriting;
    const entry = this.threads.find((thread) => thread.id === this.thread);
    const title = this.isKnown ? entry?.title ?? "Conversation" : "New conversation";
    this.composer?.setWriting(isWriting);
    $("title").textContent = title;
    document.title = this.isKnown ? `${title} · Frontdesk` : "Frontdesk";
    const isEmpty = !this.isKnown && this.conversation.isEmpty;
    if (isEmpty && $("welcome").hidden) showWelcome($("welcome"), this.session, (suggestion) => this.#begin(suggestion));
    $("welcome").hidden = !isEmpty;
    const told = { human: "A colleague has this conversation", paused: "Frontdesk is paused" }[this.mode];
    $("mode").hidden = !told || !this.isKnown;
    $("mode").textContent = told ?? "";
    $("text").placeholder = this.#placeholder();
    this.human.hidden = this.me.is_staff || !this.isKnown || this.mode !== "bot";
    showDeskBar($("desk-bar"), Boolean(this.me.is_staff && this.isKnown), this.mode, (name) => this.#command(name));
    this.#showThreads();
  }

  #placeholder() {
    if (this.mode === "human" && !this.me.is_staff) return "Write to our colleague";
    if (!this.isKnown) return this.session.demo ? "Write as anybody would" : "How can we help?";
    if (this.me.is_staff) return this.mode === "human" ? "Answer the customer" : "Write to the customer, or mention @Frontdesk";
    const first = this.conversation.items().find((item) => item.kind === "message");
    return first && first.author.id !== this.me.id ? "Mention @Frontdesk to ask it" : "Write a message";
  }

  #command(name) {
    const body = { id: crypto.randomUUID(), text: `/support ${name}` };
    this.#attempt(() => api.insist("POST", `threads/${this.thread}/messages`, body));
  }

  async #begin(suggestion) {
    if (suggestion.picture) {
      const response = await fetch(suggestion.picture);
      const blob = await response.blob();
      await this.composer.add([new File([blob], suggestion.picture.split("/").at(-1), { type: blob.type })]);
    }
    this.composer.setText(suggestion.text);
  }
}

/** The thread that the address names, if it names one. */
function threadInAddress() {
  return location.hash.slice(1).match(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)?.[0] ?? "";
}

function body(sent) {
  if (!sent.files.length) return { id: sent.id, text: sent.text };
  const form = new FormData();
  form.set("id", sent.id);
  form.set("text", sent.text);
  for (const entry of sent.files) form.append("files", entry.file, entry.name);
  return form;
}

const session = await api.ask("GET", "session");
if (session.demo) {
  api.speaker = session.me.id;
  session.me = session.speakers.find((person) => person.id === session.me.id);
}
const page = new Page(session);
await page.loadThreads();
page.open(threadInAddress());
document.documentElement.dataset.ready = "";
