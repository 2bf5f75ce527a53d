// Follows a thread by server-sent events, and comes back when the connection breaks, with nothing missed and nothing twice.

const EVENTS = ["items", "live", "state", "threads", "other"];
const LONGEST_PAUSE_MS = 10_000;
const UNNOTICED_MS = 1500;

export class Feed {
  #source = null;
  #last = -1;
  #failures = 0;
  #timer = 0;
  #closed = false;

  /** `handlers`: a function per event, and `connected(isConnected)`. */
  constructor(api, thread, handlers) {
    this.api = api;
    this.thread = thread;
    this.handlers = handlers;
    this.onvisible = () => (document.hidden ? this.#rest() : this.#open());
    document.addEventListener("visibilitychange", this.onvisible);
    this.#open();
  }

  close() {
    this.#closed = true;
    document.removeEventListener("visibilitychange", this.onvisible);
    clearTimeout(this.#timer);
    this.#source?.close();
  }

  #rest() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#source?.close();
      this.#source = null;
    }, 60_000);
  }

  #open() {
    clearTimeout(this.#timer);
    if (this.#closed || (this.#source && this.#source.readyState !== EventSource.CLOSED)) return;
    const source = new EventSource(this.api.path(`threads/${this.thread}/events`, { after: String(this.#last) }));
    this.#source = source;
    for (const name of EVENTS) {
      source.addEventListener(name, (event) => {
        if (name === "items") this.#last = Number(event.lastEventId);
        this.handlers[name]?.(JSON.parse(event.data));
      });
    }
    source.addEventListener("open", () => {
      this.#failures = 0;
      clearTimeout(this.#timer);
      this.handlers.connected(true);
    });
    source.addEventListener("error", () => this.#failed(source));
  }

  #failed(source) {
    if (this.#closed || source !== this.#source) return;
    this.#failures += 1;
    clearTimeout(this.#timer);
    const isOver = source.readyState === EventSource.CLOSED;
    const pause = isOver ? Math.min(LONGEST_PAUSE_MS, 500 * 2 ** this.#failures) : UNNOTICED_MS;
    if (this.#failures > 1) this.handlers.connected(false);
    this.#timer = setTimeout(() => {
      this.handlers.connected(source.readyState === EventSource.OPEN);
      if (isOver) this.#open();
    }, pause);
  }
}
