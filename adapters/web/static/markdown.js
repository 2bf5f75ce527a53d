// Renders an answer's Markdown as elements. Small on purpose: what a support answer needs, and never markup from text.

import { h, icon } from "./dom.js";

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const QUOTE = /^ {0,3}>\s?/;
const TABLE_LINE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

/** Make `container` show `text`. Blocks that are the same as before are left alone, so streaming does not flicker. */
export function showMarkdown(container, text) {
  const blocks = splitBlocks(text);
  const shown = container.blocks ?? [];
  let same = 0;
  while (same < blocks.length && same < shown.length && blocks[same] === shown[same]) same += 1;
  while (container.childNodes.length > same) container.lastChild.remove();
  for (const source of blocks.slice(same)) container.append(renderBlock(source));
  container.blocks = blocks;
}

/** The sources of a text's top-level blocks. */
export function splitBlocks(text) {
  const blocks = [];
  let lines = [];
  let fence = null;
  const flush = () => {
    if (lines.length) blocks.push(lines.join("\n"));
    lines = [];
  };
  const kind = (line) => (ITEM.test(line) ? "item" : QUOTE.test(line) ? "quote" : "text");
  for (const line of text.replace(/\r\n?/g, "\n").split("\n")) {
    if (fence) {
      lines.push(line);
      if (line.trim().startsWith(fence) && /^[`~]+$/.test(line.trim())) {
        fence = null;
        flush();
      }
      continue;
    }
    const opening = line.match(FENCE);
    if (opening && !(lines.length && ITEM.test(lines[0]))) {
      flush();
      fence = opening[1];
      lines.push(line);
    } else if (!line.trim()) {
      if (lines.length && ITEM.test(lines[0])) lines.push("");
      else flush();
    } else if (HEADING.test(line) || (RULE.test(line) && !lines.length)) {
      flush();
      blocks.push(line);
    } else {
      const began = lines.length ? kind(lines[0]) : null;
      const afterGap = lines.length && !lines[lines.length - 1].trim();
      const continues = began === "item" ? /^\s/.test(line) || ITEM.test(line) || !afterGap : began === kind(line) || (began && kind(line) === "text");
      if (began && !continues) flush();
      lines.push(line);
    }
  }
  flush();
  return blocks.map((block) => block.replace(/\s+$/, "")).filter(Boolean);
}

function renderBlock(source) {
  const lines = source.split("\n");
  const fence = lines[0].match(FENCE);
  if (fence) return renderCode(lines, fence);
  const heading = lines[0].match(HEADING);
  if (heading) return h(`h${Math.min(6, heading[1].length + 2)}`, { dir: "auto" }, inline(heading[2]));
  if (RULE.test(source)) return h("hr");
  if (QUOTE.test(lines[0])) {
    const quote = h("blockquote", { dir: "auto" });
    for (const block of splitBlocks(lines.map((line) => line.replace(QUOTE, "")).join("\n"))) quote.append(renderBlock(block));
    return quote;
  }
  if (ITEM.test(lines[0])) return renderList(lines);
  if (lines.length > 1 && lines[0].includes("|") && TABLE_LINE.test(lines[1]) && lines[1].includes("-")) return renderTable(lines);
  return h("p", { dir: "auto" }, broken(source));
}

function renderCode(lines, fence) {
  const last = lines.at(-1).trim();
  const body = lines.slice(1, lines.length > 1 && last.startsWith(fence[1]) ? -1 : undefined).join("\n");
  const copy = h("button", { type: "button", class: "copy", "aria-label": "Copy this code", title: "Copy" }, icon("copy"));
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(body);
    copy.replaceChildren(icon("check"));
    setTimeout(() => copy.replaceChildren(icon("copy")), 1500);
  });
  return h("div", { class: "code" }, h("div", { class: "code-head" }, h("span", {}, fence[2] || "text"), copy),
    h("pre", { tabindex: "0" }, h("code", {}, body)));
}

function renderList(lines) {
  const first = lines[0].match(ITEM);
  const ordered = /\d/.test(first[2]);
  const list = h(ordered ? "ol" : "ul", { dir: "auto", start: ordered && first[2] !== "1." ? parseInt(first[2], 10) : null });
  let entry = null;
  const indent = first[1].length;
  for (const line of lines) {
    const match = line.match(ITEM);
    if (match && match[1].length <= indent + 1) {
      entry = { head: match[3], rest: [] };
      list.append(Object.assign(h("li"), { entry }));
    } else entry.rest.push(line);
  }
  for (const node of list.children) {
    const { head, rest } = node.entry;
    const task = head.match(/^\[([ xX])\]\s+(.*)$/);
    if (task) node.append(task[1] === " " ? "☐ " : "☑ ");
    node.append(...inline(task ? task[2] : head));
    const indentation = Math.min(...rest.filter((line) => line.trim()).map((line) => line.match(/^\s*/)[0].length));
    const inner = rest.map((line) => line.slice(Number.isFinite(indentation) ? indentation : 0)).join("\n");
    for (const block of splitBlocks(inner)) node.append(/^\s*([-*+]|\d+[.)])\s|^[`~]{3}/.test(block) ? renderBlock(block) : h("div", {}, broken(block)));
  }
  return list;
}

function renderTable(lines) {
  const cells = (line) => line.trim().replace(/^\||(?<!\\)\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, "|"));
  const aligned = cells(lines[1]).map((mark) => (mark.endsWith(":") ? (mark.startsWith(":") ? "center" : "end") : "start"));
  const row = (line, tag) => h("tr", {}, cells(line).slice(0, aligned.length).map((cell, index) => h(tag, { class: `to-${aligned[index]}`, dir: "auto" }, inline(cell))));
  return h("div", { class: "table", tabindex: "0" }, h("table", {}, h("thead", {}, row(lines[0], "th")), h("tbody", {}, lines.slice(2).map((line) => row(line, "td")))));
}

function broken(text) {
  return text.split("\n").flatMap((line, index) => (index ? [h("br"), ...inline(line.trim())] : inline(line.trim())));
}

const INLINE = new RegExp(
  [
    /\\([!-/:-@[-`{-~])/, // 1: escaped
    /(`+)(.+?)(?<!`)\2(?!`)/, // 2, 3: code
    /\[((?:[^\[\]\\]|\\.){1,500})\]\((https?:\/\/[^\s()<>]+(?:\([^\s()<>]*\)[^\s()<>]*)*)(?:\s+"[^"]*")?\)/, // 4, 5: link
    /\*\*(?=\S)(.+?)(?<=\S)\*\*/, // 6: strong
    /(?<![\w*])\*(?=[^\s*])(.+?)(?<=[^\s*])\*(?![\w*])/, // 7: emphasis
    /(?<!\w)_(?=[^\s_])(.+?)(?<=[^\s_])_(?!\w)/, // 8: emphasis
    /~~(?=\S)(.+?)(?<=\S)~~/, // 9: struck out
    /(https?:\/\/[^\s<>"'`)\]]*[^\s<>"'`)\].,;:!?*_~])/, // 10: bare address
  ].map((part) => part.source).join("|"),
);

/** A line of text with its marks, as nodes. */
export function inline(text, depth = 0) {
  const nodes = [];
  let rest = text;
  for (let match = depth < 8 ? rest.match(INLINE) : null; match; match = rest.match(INLINE)) {
    if (match.index) nodes.push(rest.slice(0, match.index));
    nodes.push(mark(match, depth));
    rest = rest.slice(match.index + match[0].length);
  }
  if (rest) nodes.push(rest);
  return nodes;
}

function mark([all, escaped, , code, label, target, strong, starred, underlined, struck, address], depth) {
  if (escaped) return escaped;
  if (code !== undefined) return h("code", {}, code.replace(/^ (.*[^ ].*) $/, "$1"));
  if (label !== undefined) return link(target, inline(label, depth + 1));
  if (strong) return h("strong", {}, inline(strong, depth + 1));
  if (starred ?? underlined) return h("em", {}, inline(starred ?? underlined, depth + 1));
  if (struck) return h("s", {}, inline(struck, depth + 1));
  return link(address ?? all, [address ?? all]);
}

function link(target, content) {
  return h("a", { href: target, rel: "noopener noreferrer nofollow", target: "_blank" }, content);
}
