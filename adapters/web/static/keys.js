// Keyboard shortcuts: single keys while nobody is typing.

import { h, iconButton } from "./dom.js";

/** `shortcuts`: key -> [what it does, function]. Escape works while typing, too. */
export function beginKeys(dialog, shortcuts) {
  dialog.append(h("header", {}, h("h2", {}, "Keyboard"), iconButton("close", "Close", () => dialog.close())),
    h("dl", {}, Object.entries(shortcuts).map(([key, [label]]) => h("div", {}, h("dt", {}, h("kbd", {}, key === "Escape" ? "Esc" : key.toUpperCase())), h("dd", {}, label)))));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || dialog.open || event.defaultPrevented) return;
    const isTyping = event.target.matches("textarea, select, input:not([type=radio])");
    if (isTyping && event.key !== "Escape") return;
    if (event.target.closest(".editor, .private-form")) return;
    const shortcut = shortcuts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!shortcut) return;
    event.preventDefault();
    shortcut[1]();
  });
}
