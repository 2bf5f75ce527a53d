// Talks to the server. A request that could not be sent is repeated with the same id, which changes nothing twice.

/** What the server (or the network) had against a request; `message` is a sentence for the person. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const OFFLINE = "The page cannot reach Frontdesk at the moment. What you wrote is still here.";
const PAUSES_MS = [400, 1200, 2500];

export class Api {
  /** The id of the demo's speaker; empty where there is only one. */
  speaker = "";

  path(path, query = {}) {
    const params = new URLSearchParams(query);
    if (this.speaker) params.set("speaker", this.speaker);
    return params.size ? `/api/${path}?${params}` : `/api/${path}`;
  }

  async ask(method, path, body, query) {
    const options = { method, headers: {}, credentials: "same-origin", cache: "no-store" };
    if (body instanceof FormData) options.body = body;
    else if (body !== undefined) {
      options.body = JSON.stringify(body);
      options.headers["content-type"] = "application/json";
    }
    const response = await fetch(this.path(path, query), options);
    if (response.status === 401) location.assign("/login");
    const isJson = response.headers.get("content-type")?.startsWith("application/json");
    const value = isJson ? await response.json() : { message: await response.text() };
    if (!response.ok) throw new Refused(response.status, value.message || `The server said ${response.status}.`);
    return value;
  }

  /** The same as `ask`, repeated while the network fails or everybody is busy. Only for what may be repeated. */
  async insist(method, path, body) {
    for (const pause of [...PAUSES_MS, null]) {
      try {
        return await this.ask(method, path, body);
      } catch (error) {
        const passing = !(error instanceof Refused) || error.status === 503;
        if (!passing || pause === null) throw error instanceof Refused ? error : new Refused(0, OFFLINE);
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
    return undefined;
  }
}
