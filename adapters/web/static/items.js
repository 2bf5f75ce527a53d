// One element for each item of a conversation.

import { avatar, clock, h, icon, iconButton, size } from "./dom.js";
import { showMarkdown } from "./markdown.js";
import { toolCard } from "./tools.js";

/** The element of an item. `context`: {me, fileUrl, isOver(turn), edit, remove, submit, press, vote, votes, explain, explained}. */
export function renderItem(item, context) {
  const node = (RENDER[item.kind] ?? (() => h("div")))(item, context);
  return h("li", { class: `item item-${item.kind}`, id: `i-${item.id}`, dataset: { kind: item.kind } }, node);
}

const RENDER = { message, answer, tool: (item, context) => toolCard(item, context.isOver(item.turn)), form, notice, card };

function message(item, context) {
  const isMine = item.author.id === context.me.id;
  const classes = ["message", isMine ? "is-mine" : "", item.author.is_staff ? "is-staff" : "", item.sending ? "is-sending" : ""];
  if (item.deleted) {
    return h("article", { class: [...classes, "is-deleted"].join(" ") }, h("p", { class: "faint" }, icon("bin"), `${isMine ? "You" : item.author.name} deleted this message`));
  }
  const files = (item.attachments ?? []).map((file) => attachment(file, context));
  const article = h("article", { class: classes.join(" ") },
    isMine ? null : avatar(item.author),
    h("div", { class: "message-column" },
      h("header", {}, h("strong", { dir: "auto" }, item.author.name),
        h("span", { class: "faint" }, item.author.is_staff ? "colleague" : item.author.organisation),
        h("time", { datetime: item.at, class: "faint" }, item.sending ? "Sending…" : clock(item.at)),
        item.edited ? h("span", { class: "faint" }, "edited") : null),
      files.length ? h("div", { class: "files" }, files) : null,
      item.text ? h("div", { class: "bubble", dir: "auto" }, item.text) : null,
      item.secrets ? h("p", { class: "aside" }, icon("lock"), item.secrets === 1 ? "A secret was removed before this was kept" : `${item.secrets} secrets were removed before this was kept`) : null,
      item.hint === "not_addressed" ? h("p", { class: "aside" }, "Frontdesk was not addressed; mention ", h("b", {}, "@Frontdesk"), " to ask it") : null));
  if (isMine && !item.sending) {
    article.append(h("div", { class: "message-tools" },
      item.text ? iconButton("pencil", "Edit this message", () => beginEdit(article, item, context)) : null,
      iconButton("bin", "Delete this message", () => context.remove(item))));
  }
  return article;
}

function beginEdit(article, item, context) {
  if (article.querySelector("form")) return;
  const bubble = article.querySelector(".bubble");
  const area = h("textarea", { rows: "2", "aria-label": "Edit this message", value: item.text, dir: "auto" });
  const end = () => {
    editor.replaceWith(bubble);
  };
  const editor = h("form", { class: "editor", onsubmit: async (event) => {
    event.preventDefault();
    if (area.value.trim() && area.value !== item.text) await context.edit(item, area.value);
    end();
  } }, area, h("div", {}, h("button", { type: "button", class: "quiet", onclick: end }, "Cancel"), h("button", { type: "submit", class: "solid" }, "Save")));
  area.addEventListener("keydown", (event) => {
    if (event.key === "Escape") end();
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      editor.requestSubmit();
    }
  });
  bubble.replaceWith(editor);
  area.focus();
  area.style.height = `${area.scrollHeight + 2}px`;
}

function attachment(file, context) {
  if (file.canvas) return h("span", { class: "picture" }, file.canvas);
  const url = context.fileUrl(file);
  const label = `${file.name}, ${size(file.size_bytes)}`;
  const named = () => [icon("file"), h("span", {}, file.name), h("span", { class: "faint" }, size(file.size_bytes))];
  if (!file.upload) return h("span", { class: "file" }, named());
  if (!/^image\/(png|jpeg|webp|gif)$/.test(file.media_type)) return h("a", { class: "file", href: url, download: file.name }, named());
  const picture = h("img", { src: url, alt: file.name, loading: "lazy", decoding: "async" });
  picture.addEventListener("error", () => picture.replaceWith(h("span", { class: "file" }, named())));
  return h("a", { class: "picture", href: url, target: "_blank", rel: "noopener", title: label, "aria-label": `Open ${label}` }, picture);
}

function prose(text) {
  const words = h("div", { class: "prose", dir: "auto" });
  showMarkdown(words, text ?? "");
  return words;
}

/** The words for a vote: asked for once it is cast, and never needed. */
function reason(item, context) {
  const vote = context.votes.get(item.turn);
  if (vote === undefined || item.live) return null;
  if (context.explained.has(item.turn)) return h("p", { class: "reason faint" }, "Thank you.");
  const words = h("input", { type: "text", maxlength: "2000", dir: "auto", "aria-label": "Why?", placeholder: vote > 0 ? "What helped? (optional)" : "What was wrong? (optional)" });
  return h("form", { class: "reason", onsubmit: (event) => {
    event.preventDefault();
    if (words.value.trim()) context.explain(item.turn, vote, words.value.trim());
  } }, words, h("button", { type: "submit", class: "quiet" }, "Send"));
}

function answer(item, context) {
  const words = prose(item.text);
  const vote = (value, label, name) => iconButton(name, label, () => context.vote(item.turn, value), { "aria-pressed": String(context.votes.get(item.turn) === value) });
  return h("article", { class: `answer ${item.live ? "is-live" : ""}` },
    h("span", { class: "avatar is-bot", "aria-hidden": "true" }, icon("bell")),
    h("div", { class: "message-column" },
      h("header", {}, h("strong", {}, "Frontdesk"), item.live ? null : h("time", { datetime: item.at, class: "faint" }, clock(item.at))),
      words,
      item.live ? null : h("div", { class: "answer-tools" }, vote(1, "This helped", "up"), vote(-1, "This did not help", "thumb-down")),
      reason(item, context)));
}

function form(item, context) {
  if (item.state === "done") {
    return h("div", { class: "notice is-good" }, icon("check"), h("p", {}, item.told || "Thank you. This was checked and nothing of it was kept in the conversation."));
  }
  // After a refusal the form is made anew: what is no secret need not be typed again.
  const typed = (field) => (field.secret ? "" : document.getElementById(`${item.form}-${field.name}`)?.value ?? "");
  const inputs = item.fields.map((field) => h("input", {
    name: field.name, id: `${item.form}-${field.name}`, type: field.secret ? "password" : "text", value: typed(field),
    autocomplete: "off", autocapitalize: "none", spellcheck: "false", required: true, maxlength: "200",
  }));
  const error = h("p", { class: "form-error", role: "alert" }, item.error ?? "");
  const submit = h("button", { type: "submit", class: "solid" }, "Verify");
  return h("form", { class: "private-form", "aria-label": item.title, onsubmit: async (event) => {
    event.preventDefault();
    submit.disabled = true;
    error.textContent = "";
    try {
      await context.submit(item, Object.fromEntries(inputs.map((input) => [input.name, input.value])));
    } catch (problem) {
      error.textContent = problem.message;
    }
    submit.disabled = false;
  } },
    h("header", {}, icon("lock"), h("div", {}, h("strong", {}, item.title), h("p", { class: "faint" }, "Only you see this. What you type goes to the identity check and to nowhere else."))),
    h("div", { class: "fields" }, item.fields.map((field, index) => h("label", { for: inputs[index].id }, h("span", {}, field.label), inputs[index]))),
    error,
    h("footer", {}, submit));
}

function notice(item, context) {
  return h("div", { class: "notice" }, icon(item.to ? "lock" : "bell"), h("div", {},
    prose(item.text),
    (item.attachments ?? []).map((file) => attachment(file, context)),
    item.to?.includes(context.me.id) ? h("p", { class: "faint" }, "Only you see this") : null));
}

function card(item, context) {
  const title = h("strong", {}, prose(item.title));
  return h("section", { class: "card", "aria-label": title.textContent },
    h("header", {}, icon("person"), title, h("span", { class: "faint" }, "for colleagues")),
    h("div", { class: "card-text" }, prose(item.text)),
    h("footer", {}, item.buttons.map((button) => h("button", { type: "button", class: "solid", onclick: () => context.press(item, button) }, button.label))));
}
