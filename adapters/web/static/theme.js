// Light or dark: as the system says, until somebody chooses.

const KEY = "frontdesk-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : dark.matches;
}

/** Apply what was chosen before; `changed` hears of every change. */
export function beginTheme(changed) {
  const chosen = read();
  if (chosen) document.documentElement.dataset.theme = chosen;
  dark.addEventListener("change", changed);
  changed();
}

export function toggleTheme(changed) {
  const next = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // A browser that keeps nothing still shows what was chosen.
  }
  changed();
}

function read() {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === "dark" || stored === "light" ? stored : "";
  } catch {
    return "";
  }
}
