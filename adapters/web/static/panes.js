// The panes at the sides: columns on a wide screen, drawers on a narrow one.

const narrow = matchMedia("(max-width: 60rem)");

export class Panes {
  constructor(app, sidebar, inspector, backdrop) {
    Object.assign(this, { app, sidebar, inspector, backdrop });
    backdrop.addEventListener("click", () => this.closeDrawers());
    narrow.addEventListener("change", () => this.#arrange());
    this.#arrange();
  }

  toggle(name) {
    this.set(name, !this.#isOpen(name));
  }

  set(name, isOpen) {
    if (name === "inspector") this.inspector.hidden = !isOpen;
    this.app.classList.toggle(`has-${name}`, isOpen);
    for (const button of document.querySelectorAll(`[aria-controls="${this[name].id}"]`)) {
      button.setAttribute("aria-expanded", String(isOpen));
    }
    this.#arrange();
    if (isOpen && narrow.matches) this[name].querySelector("button, a")?.focus();
  }

  /** Close what lies over the conversation; whether there was something. */
  closeDrawers() {
    const open = narrow.matches ? ["sidebar", "inspector"].filter((name) => this.#isOpen(name)) : [];
    for (const name of open) this.set(name, false);
    return open.length > 0;
  }

  #isOpen(name) {
    return name === "inspector" ? !this.inspector.hidden : this.app.classList.contains("has-sidebar");
  }

  #arrange() {
    const over = narrow.matches && (this.#isOpen("sidebar") || this.#isOpen("inspector"));
    this.backdrop.hidden = !over;
    this.sidebar.inert = narrow.matches && !this.#isOpen("sidebar");
    document.getElementById("middle").inert = over;
  }
}
