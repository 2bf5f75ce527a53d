// What a newcomer sees before anything was said.

import { h, icon } from "./dom.js";

export function showWelcome(place, session, begin) {
  const suggestions = (session.suggestions ?? []).map((suggestion) => h("li", {}, h("button", { type: "button", onclick: () => begin(suggestion) },
    h("span", { class: "welcome-icon" }, icon(suggestion.icon)), h("strong", {}, suggestion.title), h("span", {}, suggestion.detail))));
  const lead = session.demo
    ? "This is a small shop with two customers, one colleague and a support desk. Ask in your own words, and choose below who is speaking."
    : "Ask in your own words. If we cannot help at once, a colleague will.";
  place.replaceChildren(
    h("img", { src: "/static/bell.svg", alt: "", width: "56", height: "56" }),
    h("h2", {}, "How can we help?"),
    h("p", {}, lead),
    suggestions.length ? h("ul", { class: "suggestions" }, suggestions) : null);
}
