// Owns the directory on the agent's page: departments by name, pinyin initials or number, queues, colleagues and outside
// numbers by their digits, and the ways to reach each.

import { byId, el, keyed, setText } from "./dom.js";
import { nowUs } from "./time.js";

const RETRY_MS = 5000;
const EVERY_MS = 300_000;
// Units open and close by the minute, and no page needs to know sooner.
const SOONEST_MS = 1000;
const DIAL = ["call.dial", "外呼"];
const WAYS = [
  ["call.three_way", "三方"],
  ["call.consult", "咨询"],
  ["call.transfer", "转接"],
];
const PASS_ON = [["call.transfer", "转队列"]];
const MANY_DIGITS = 5;

function paintHours(row, { hours, standing, is_open: isOpen }) {
  const node = row.querySelector(".hours");
  setText(node, [standing, hours].filter(Boolean).join(" · "));
  node.classList.toggle("is-closed", isOpen === false);
  node.title = hours ?? "";
}

const waysTo = ({ queue, numbers }) =>
  queue ? { named: { queue }, ways: PASS_ON } : { named: { number: numbers[0] ?? "" }, ways: [...WAYS, DIAL] };

export class Directory {
  // `onChoose(op, named)`: `named` is one of {number}, {seat}, {agent}, {queue}, as the command takes it.
  // `tell(message)`: what the agent should know before anybody answers.
  constructor(config, onChoose, tell) {
    this.config = config;
    this.onChoose = onChoose;
    this.tell = tell;
    this.units = [];
    this.queues = config.queues.map(({ number, name }) => ({ id: `queue:${number}`, name, initials: "", numbers: [number], queue: number }));
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
      setTimeout(() => this.load(), this.nextMs());
    } catch {
      this.note("通讯录暂不可用，正在重试…");
      setTimeout(() => this.load(), RETRY_MS);
    }
    this.paint();
  }

  // Asked again when the next unit opens or closes, and from time to time.
  nextMs() {
    const changes = this.units.map((unit) => unit.changes_us).filter((at) => at > 0);
    return Math.min(EVERY_MS, Math.max(SOONEST_MS, (Math.min(...changes) - nowUs()) / 1000));
  }

  focus() {
    this.input.focus();
    this.input.select();
  }

  allow(allowed) {
    this.allowed = allowed;
    for (const button of this.box.querySelectorAll("button")) button.disabled = !allowed.includes(button.dataset.way);
  }

  // What was typed is a number of its own: a colleague's seat or 工号, or somebody outside.
  typed() {
    const digits = this.input.value.replaceAll(/[\s-]/g, "");
    if (!/^\d{3,16}$/.test(digits)) return [];
    if (this.config.seats.includes(digits)) return [{ id: `seat:${digits}`, name: `${digits} 座席`, named: { seat: digits }, ways: WAYS }];
    if (digits.length < MANY_DIGITS) return [{ id: `agent:${digits}`, name: `工号 ${digits}`, named: { agent: digits }, ways: WAYS }];
    return [{ id: `number:${digits}`, name: digits, named: { number: digits }, ways: [DIAL, ...WAYS] }];
  }

  found() {
    const wanted = this.input.value.replaceAll(/\s/g, "").toLowerCase();
    const rank = ({ name, initials, numbers }) => {
      if (name.startsWith(wanted) || initials.startsWith(wanted)) return 0;
      if (name.includes(wanted) || initials.includes(wanted)) return 1;
      return numbers.some((number) => number.startsWith(wanted)) ? 1 : 2;
    };
    const all = [...this.units, ...this.queues];
    return [0, 1].flatMap((r) => all.filter((unit) => rank(unit) === r));
  }

  paint() {
    const units = this.found().map((unit) => ({ ...unit, ...waysTo(unit) }));
    if (!units.length) units.push(...this.typed());
    keyed(this.box, units, (unit) => unit.id, (unit) => this.row(unit), paintHours);
    this.allow(this.allowed);
    if (this.units.length) this.note(units.length ? "" : "没有找到这个部门");
  }

  row(unit) {
    const buttons = unit.ways.map(([op, word]) => {
      const button = el("button", { class: "btn small", "data-way": op, "aria-label": `${word} ${unit.name}` }, word);
      button.addEventListener("click", () => this.choose(op, unit));
      return button;
    });
    const [reached] = Object.values(unit.named);
    const hours = el("span", { class: "hours" });
    return el(
      "div",
      { class: "unit" },
      el("b", {}, unit.name),
      el("span", { class: "ways" }, ...(reached ? buttons : [])),
      el("span", { class: "wide small muted" }, hours, el("span", {}, unit.numbers ? reached : "")),
    );
  }

  // A closed unit may be called all the same: somebody may be on duty.
  choose(op, unit) {
    const now = this.units.find(({ id }) => id === unit.id);
    if (now && now.is_open === false) this.tell(`${now.name}${now.standing}，仍在呼叫`);
    this.onChoose(op, unit.named);
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
