// Where one writes: text, pictures that are pasted, dropped or chosen, and the button that sends or stops.

import { h, icon, iconButton, size } from "./dom.js";

const TALLEST_PX = 220;
const THUMB_PX = 112;

export class Composer {
  #files = [];
  #count = 0;
  #resend = null;

  /** `on`: {send({id, text, files}), stop()}. `drop`: the element on which files may be dropped. */
  constructor({ form, drop, limits, on }) {
    this.form = form;
    this.limits = limits;
    this.on = on;
    this.area = form.querySelector("textarea");
    this.tray = form.querySelector(".tray");
    this.problem = form.querySelector(".problem");
    this.button = form.querySelector(".send");
    this.chooser = form.querySelector("input[type=file]");
    form.querySelector(".attach").addEventListener("click", () => this.chooser.click());
    this.chooser.addEventListener("change", () => {
      this.add([...this.chooser.files]);
      this.chooser.value = "";
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.isWriting && !this.#hasContent() ? this.on.stop() : this.send();
    });
    this.area.addEventListener("keydown", (event) => this.#key(event));
    this.area.addEventListener("input", () => this.#changed());
    this.area.addEventListener("paste", (event) => this.#paste(event));
    this.#acceptDrops(drop);
    this.setWriting(false);
  }

  setWriting(isWriting) {
    this.isWriting = isWriting;
    this.#changed();
  }

  setText(text) {
    this.area.value = text;
    this.#changed();
    this.area.focus();
  }

  /** Put back what could not be sent, with the id under which it may be sent again. */
  putBack(sent, message) {
    const typed = this.area.value.trim();
    this.area.value = typed ? `${sent.text}\n${typed}` : sent.text;
    const tooMany = sent.files.concat(this.#files).slice(this.limits.files);
    this.#files = sent.files.concat(this.#files).slice(0, this.limits.files);
    this.#resend = typed || tooMany.length ? null : sent;
    this.#showTray();
    this.#changed();
    this.say(message);
  }

  say(message) {
    this.problem.textContent = message;
    this.problem.hidden = !message;
  }

  clear() {
    this.area.value = "";
    this.#files = [];
    this.#resend = null;
    this.#showTray();
    this.say("");
    this.#changed();
  }

  send() {
    if (!this.#hasContent()) return;
    const text = this.area.value.trim();
    const same = this.#resend && this.#resend.text === text && this.#resend.files.length === this.#files.length;
    const sent = { id: same ? this.#resend.id : crypto.randomUUID(), text, files: this.#files };
    this.clear();
    this.on.send(sent);
  }

  /** Take files, as far as the limits allow. */
  async add(files) {
    this.say("");
    for (const file of files) {
      if (this.#files.length >= this.limits.files) return this.say(`At most ${this.limits.files} files go with one message.`);
      if (file.size > this.limits.file_bytes) {
        this.say(`“${file.name}” is larger than ${size(this.limits.file_bytes)}.`);
        continue;
      }
      this.#count += 1;
      const entry = { key: this.#count, file, name: file.name || `picture-${this.#count}.png`, canvas: await thumbnail(file) };
      this.#files = [...this.#files, entry];
      this.#showTray();
    }
    this.area.focus();
    return undefined;
  }

  #hasContent() {
    return Boolean(this.area.value.trim() || this.#files.length);
  }

  #key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.send();
  }

  #paste(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    this.add(files);
  }

  #acceptDrops(zone) {
    let depth = 0;
    const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
    const show = (isOver) => zone.classList.toggle("is-dropping", isOver);
    zone.addEventListener("dragenter", (event) => carriesFiles(event) && show(++depth > 0));
    zone.addEventListener("dragleave", (event) => carriesFiles(event) && show(--depth > 0));
    zone.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
    zone.addEventListener("drop", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      show((depth = 0) > 0);
      this.add([...event.dataTransfer.files]);
    });
  }

  #changed() {
    this.area.style.height = "auto";
    this.area.style.height = `${Math.min(TALLEST_PX, this.area.scrollHeight)}px`;
    const stops = this.isWriting && !this.#hasContent();
    const label = stops ? "Stop writing" : "Send";
    this.button.disabled = !stops && !this.#hasContent();
    if (this.button.dataset.does !== label) {
      this.button.dataset.does = label;
      this.button.replaceChildren(icon(stops ? "stop" : "send"));
      this.button.setAttribute("aria-label", label);
      this.button.title = label;
    }
  }

  #showTray() {
    this.tray.hidden = !this.#files.length;
    this.tray.replaceChildren(...this.#files.map((entry) => h("li", { class: "thumb", title: `${entry.name}, ${size(entry.file.size)}` },
      entry.canvas ?? h("span", { class: "thumb-file" }, icon("file"), h("span", {}, entry.name)),
      iconButton("close", `Remove ${entry.name}`, () => {
        this.#files = this.#files.filter((other) => other !== entry);
        this.#showTray();
        this.#changed();
        this.area.focus();
      }))));
    this.#changed();
  }
}

/** A small drawing of a picture; nothing when the browser cannot read it. Needs no address for the file's bytes. */
async function thumbnail(file) {
  if (!file.type.startsWith("image/")) return null;
  try {
    const picture = await createImageBitmap(file);
    const scale = Math.min(1, (THUMB_PX * 2) / Math.min(picture.width, picture.height));
    const canvas = h("canvas", { width: String(Math.max(1, Math.round(picture.width * scale))), height: String(Math.max(1, Math.round(picture.height * scale))), role: "img", "aria-label": file.name });
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    picture.close();
    return canvas;
  } catch {
    return null;
  }
}
