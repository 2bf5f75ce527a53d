// Builds elements. Text becomes text nodes and nothing else: there is no way from a string to markup on this page.

const SVG = "http://www.w3.org/2000/svg";

/** An element. `props`: attributes; `class`, `dataset`; functions are listeners (`onclick`); null and false are left out. */
export function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(node.dataset, value);
    else if (name in { value: 1, checked: 1, open: 1, disabled: 1, hidden: 1 }) node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const ICONS = {
  bell: ["M4 17h16", "M5.5 17a6.5 6.5 0 0 1 13 0", "M12 10.5V8", "M10 7.5h4", "M3 20h18"],
  plus: ["M12 5v14", "M5 12h14"],
  send: ["M12 19V5", "m6 11 6-6 6 6"],
  stop: ["M7 7h10v10H7z"],
  clip: ["m20 11-8.6 8.6a5 5 0 0 1-7-7L13 4a3.4 3.4 0 0 1 4.8 4.8l-8.5 8.5a1.7 1.7 0 0 1-2.4-2.4L14.5 7.3"],
  close: ["m6 6 12 12", "m18 6-12 12"],
  menu: ["M4 7h16", "M4 12h16", "M4 17h10"],
  panel: ["M4 5h16v14H4z", "M14.5 5v14"],
  sun: ["M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z", "M12 2.5v2", "M12 19.5v2", "M2.5 12h2", "M19.5 12h2", "m5.3 5.3 1.4 1.4", "m17.3 17.3 1.4 1.4", "m5.3 18.7 1.4-1.4", "m17.3 6.7 1.4-1.4"],
  moon: ["M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z"],
  parcel: ["m12 3 8 4.3v9.4L12 21l-8-4.3V7.3z", "m4 7.3 8 4.4 8-4.4", "M12 11.7V21"],
  receipt: ["M6 3h12v18l-2-1.5-2 1.5-2-1.5-2 1.5-2-1.5L6 21z", "M9 8h6", "M9 12h6"],
  ticket: ["M4 7h16v3.5a1.5 1.5 0 0 0 0 3V17H4v-3.5a1.5 1.5 0 0 0 0-3z", "M14 7v10"],
  person: ["M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8z", "M4.5 20.5c.8-4 3.8-6 7.5-6s6.7 2 7.5 6"],
  key: ["M8 11a4 4 0 1 0 0 8 4 4 0 0 0 0-8z", "m11 12 8-8", "m15.5 7.5 3 3"],
  check: ["m5 12.5 4.5 4.5L19 7.5"],
  alert: ["M12 4 2.8 20h18.4z", "M12 10v4.5", "M12 17v.5"],
  block: ["M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z", "m6.5 6.5 11 11"],
  down: ["m6 9.5 6 6 6-6"],
  pencil: ["M5 19l.8-3.6L16.5 4.7l2.8 2.8L8.6 18.2z", "m14.5 6.7 2.8 2.8"],
  bin: ["M5 7h14", "M9.5 7V4.5h5V7", "m7 7 .8 12.5h8.4L17 7"],
  copy: ["M9 9h10v11H9z", "M15 9V5H5v11h4"],
  lock: ["M6 11h12v9H6z", "M8.5 11V8a3.5 3.5 0 0 1 7 0v3"],
  file: ["M6 3h8l4 4v14H6z", "M14 3v4h4"],
  wrench: ["M14.5 6.5a4 4 0 0 1 5-1L17 8l1 2 2 .5 0-3", "M14.5 6.5a4 4 0 0 0-.6 4.6L5 20a1.8 1.8 0 0 1-2.5-2.5l8.9-8.9", "M19.5 11.2a4 4 0 0 1-5.6-.1"],
  up: ["M7.5 11v8.5H5V11z", "M7.5 11l3.7-7c1.5 0 2.3 1 2 2.5L12.6 9.5h5.1c1.2 0 2 1.1 1.7 2.3l-1.4 6.2c-.2.9-.9 1.5-1.8 1.5H7.5"],
  "thumb-down": ["M16.5 13V4.5H19V13z", "M16.5 13l-3.7 7c-1.5 0-2.3-1-2-2.5l.6-3H6.3c-1.2 0-2-1.1-1.7-2.3L6 6c.2-.9.9-1.5 1.8-1.5h8.7"],
  keyboard: ["M3.5 6.5h17v11h-17z", "M7 10h.01", "M10.3 10h.01", "M13.7 10h.01", "M17 10h.01", "M8 14h8"],
  exit: ["M10 4H5v16h5", "M14 8l4 4-4 4", "M18 12H9"],
};

/** A line drawing; it says nothing to a screen reader, so what holds it needs a name. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", "aria-hidden": "true", class: "icon" })) {
    svg.setAttribute(key, value);
  }
  for (const d of ICONS[name] ?? []) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/** A round button that shows only an icon. */
export function iconButton(name, label, onclick, more = {}) {
  return h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...more }, icon(name));
}

/** A person's picture: the first letters of the name on one of a few colours, the same for the same id. */
export function avatar(person) {
  const letters = person.name.split(/\s+/).slice(0, 2).map((word) => [...word][0] ?? "").join("").toUpperCase();
  const sum = [...person.id].reduce((total, letter) => total + letter.codePointAt(0), 0);
  return h("span", { class: "avatar", "aria-hidden": "true", dataset: { tone: person.is_staff ? "staff" : sum % 4 } }, letters);
}

/** The time of day of an ISO date. */
export function clock(at) {
  return new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

/** A size as people read it. */
export function size(bytes) {
  return bytes < 1024 * 1024 ? `${Math.max(1, Math.round(bytes / 1024))} kB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
