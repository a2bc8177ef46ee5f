// Owns the directory of departments on the agent's page: search by name, pinyin initials or number, and the ways to reach each.

import { byId, el, keyed, setText } from "./dom.js";

const RETRY_MS = 5000;
const WAYS = [
  ["call.three_way", "三方"],
  ["call.consult", "咨询"],
  ["call.transfer", "转接"],
];

export class Directory {
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.units = [];
    this.allowed = [];
    this.input = byId("find-unit");
    this.box = byId("units");
    this.input.addEventListener("input", () => this.paint());
    this.input.addEventListener("keydown", (event) => this.onKey(event));
    this.load();
  }

  async load() {
    try {
      const answer = await fetch("/api/directory");
      if (!answer.ok) throw new Error(`directory: ${answer.status}`);
      this.units = (await answer.json()).units;
      this.note("");
    } catch {
      this.note("通讯录暂不可用，正在重试…");
      setTimeout(() => this.load(), RETRY_MS);
    }
    this.paint();
  }

  focus() {
    this.input.focus();
    this.input.select();
  }

  allow(allowed) {
    this.allowed = allowed;
    for (const button of this.box.querySelectorAll("button")) button.disabled = !allowed.includes(button.dataset.way);
  }

  found() {
    const wanted = this.input.value.replaceAll(/\s/g, "").toLowerCase();
    const rank = ({ name, initials, numbers }) => {
      if (name.startsWith(wanted) || initials.startsWith(wanted)) return 0;
      if (name.includes(wanted) || initials.includes(wanted)) return 1;
      return numbers.some((number) => number.startsWith(wanted)) ? 1 : 2;
    };
    return [0, 1].flatMap((r) => this.units.filter((unit) => rank(unit) === r));
  }

  paint() {
    const units = this.found();
    keyed(this.box, units, (unit) => unit.id, (unit) => this.row(unit), () => {});
    this.allow(this.allowed);
    if (this.units.length) this.note(units.length ? "" : "没有找到这个部门");
  }

  row(unit) {
    const number = unit.numbers[0] ?? "";
    const buttons = WAYS.map(([op, word]) => {
      const button = el("button", { class: "btn small", "data-way": op, "aria-label": `${word} ${unit.name}` }, word);
      button.addEventListener("click", () => this.onChoose(op, { number, name: unit.name }));
      return button;
    });
    const hours = el("span", { class: "hours", title: unit.hours }, unit.hours);
    return el(
      "div",
      { class: "unit" },
      el("b", {}, unit.name),
      el("span", { class: "ways" }, ...(number ? buttons : [])),
      el("span", { class: "wide small muted" }, hours, el("span", {}, number)),
    );
  }

  // Enter goes to the first hit's button, a second Enter calls: nobody is called by a slip in typing.
  onKey(event) {
    if (event.key !== "Enter" && event.key !== "ArrowDown") return;
    event.preventDefault();
    this.box.querySelector("button:not([disabled])")?.focus();
  }

  note(message) {
    const node = byId("no-units");
    node.hidden = message === "";
    setText(node, message);
  }
}
