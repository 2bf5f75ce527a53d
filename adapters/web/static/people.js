// Who sits at this keyboard, and what a colleague may do.

import { avatar, h } from "./dom.js";

/** The demo's switch: `choose(id)` hears who speaks from now on. */
export function showSpeakers(place, people, me, choose) {
  const name = (person) => h("span", { class: "speaker-name" }, person.name, h("small", {}, person.is_staff ? "colleague" : person.organisation));
  place.hidden = false;
  place.replaceChildren(h("fieldset", {}, h("legend", {}, "Speaking as"), people.map((person) => h("label", { class: "speaker", title: `${person.name}, ${person.about}` },
    h("input", { type: "radio", name: "speaker", value: person.id, checked: person.id === me.id, onchange: () => choose(person.id) }), avatar(person), name(person)))));
}

/** A colleague takes the conversation over, or gives it back; `order(command)` is the `/support` command. */
export function showDeskBar(place, isShown, mode, order) {
  place.hidden = !isShown;
  if (!isShown || place.dataset.mode === mode) return;
  place.dataset.mode = mode;
  const [command, label, text] = {
    bot: ["takeover", "Take over", "Frontdesk answers here. Take over to answer yourself."],
    human: ["handback", "Hand back to Frontdesk", "You answer here. Frontdesk listens and keeps the record."],
    paused: ["resume", "Let Frontdesk answer", "Nobody answers here at the moment."],
  }[mode];
  place.replaceChildren(h("span", {}, text), h("button", { type: "button", class: "solid", onclick: () => order(command) }, label));
}
