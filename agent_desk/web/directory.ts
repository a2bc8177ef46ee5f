// Owns the directory on the agent's page: departments by name, pinyin initials or number, queues, colleagues and outside
// numbers by their digits, and the ways to reach each.

import type { Transfer } from "./api.js";
import type { Config } from "./config.js";
import { buttons, byId, el, inputById, keyed, setText } from "./dom.js";
import { nowUs } from "./time.js";

const RETRY_MS = 5000;
const EVERY_MS = 300_000;
// Units open and close by the minute, and no page needs to know sooner.
const SOONEST_MS = 1000;

// As /api/directory tells of a unit (agent_desk/listing.py); of a queue and of what was typed only the first four are there.
interface Unit {
  readonly id: string;
  readonly name: string;
  readonly initials: string;
  readonly numbers: readonly string[];
  readonly hours?: string;
  readonly standing?: string;
  readonly is_open?: boolean | null;
  readonly changes_us?: number;
  readonly queue?: string;
}

// Whom a command means: just one of these, as the command takes it.
export type Named = Partial<Pick<Transfer, "number" | "seat" | "agent" | "queue">>;
export type WayOp = "call.dial" | "call.three_way" | "call.consult" | "call.transfer";
type Way = readonly [WayOp, string];
type Entry = Unit & { readonly named: Named; readonly ways: readonly Way[] };

const DIAL: Way = ["call.dial", "外呼"];
const WAYS: readonly Way[] = [
  ["call.three_way", "三方"],
  ["call.consult", "咨询"],
  ["call.transfer", "转接"],
];
const PASS_ON: readonly Way[] = [["call.transfer", "转队列"]];
const MANY_DIGITS = 5;

function paintHours(row: HTMLElement, { hours, standing, is_open: isOpen }: Unit): void {
  const node = row.querySelector<HTMLElement>(".hours")!;
  setText(node, [standing, hours].filter(Boolean).join(" · "));
  node.classList.toggle("is-closed", isOpen === false);
  node.title = hours ?? "";
}

const waysTo = ({ queue, numbers }: Unit): Pick<Entry, "named" | "ways"> =>
  queue ? { named: { queue }, ways: PASS_ON } : { named: { number: numbers[0] ?? "" }, ways: [...WAYS, DIAL] };

export class Directory {
  private units: readonly Unit[] = [];
  private readonly queues: readonly Unit[];
  private allowed: readonly string[] = [];
  private readonly input = inputById("find-unit");
  private readonly box = byId("units");

  // `tell(message)`: what the agent should know before anybody answers.
  constructor(
    private readonly config: Config,
    private readonly onChoose: (op: WayOp, named: Named) => void,
    private readonly tell: (message: string) => void,
  ) {
    this.queues = config.queues.map(({ number, name }) => ({ id: `queue:${number}`, name, initials: "", numbers: [number], queue: number }));
    this.input.addEventListener("input", () => this.paint());
    this.input.addEventListener("keydown", (event) => this.onKey(event));
    void this.load();
  }

  private async load(): Promise<void> {
    try {
      const answer = await fetch("/api/directory");
      if (!answer.ok) throw new Error(`directory: ${answer.status}`);
      this.units = (await answer.json()).units;
      // For the case form: a browser finds by either, the name or its initials.
      byId("unit-names").replaceChildren(...this.units.map(({ name, initials }) => el("option", { value: name }, initials)));
      this.note("");
      setTimeout(() => void this.load(), this.nextMs());
    } catch {
      this.note("通讯录暂不可用，正在重试…");
      setTimeout(() => void this.load(), RETRY_MS);
    }
    this.paint();
  }

  // Asked again when the next unit opens or closes, and from time to time.
  private nextMs(): number {
    const changes = this.units.map((unit) => unit.changes_us ?? 0).filter((at) => at > 0);
    return Math.min(EVERY_MS, Math.max(SOONEST_MS, (Math.min(...changes) - nowUs()) / 1000));
  }

  focus(): void {
    this.input.focus();
    this.input.select();
  }

  allow(allowed: readonly string[]): void {
    this.allowed = allowed;
    for (const button of buttons(this.box)) button.disabled = !allowed.includes(button.dataset.way ?? "");
  }

  // What was typed is a number of its own: a colleague's seat or 工号, or somebody outside.
  private typed(): readonly Entry[] {
    const digits = this.input.value.replaceAll(/[\s-]/g, "");
    const entry = (kind: string, name: string, named: Named, ways: readonly Way[]): readonly Entry[] => [
      { id: `${kind}:${digits}`, name, initials: "", numbers: [], named, ways },
    ];
    if (!/^\d{3,16}$/.test(digits)) return [];
    if (this.config.seats.includes(digits)) return entry("seat", `${digits} 座席`, { seat: digits }, WAYS);
    if (digits.length < MANY_DIGITS) return entry("agent", `工号 ${digits}`, { agent: digits }, WAYS);
    return entry("number", digits, { number: digits }, [DIAL, ...WAYS]);
  }

  private found(): readonly Unit[] {
    const wanted = this.input.value.replaceAll(/\s/g, "").toLowerCase();
    const rank = ({ name, initials, numbers }: Unit): number => {
      if (name.startsWith(wanted) || initials.startsWith(wanted)) return 0;
      if (name.includes(wanted) || initials.includes(wanted)) return 1;
      return numbers.some((number) => number.startsWith(wanted)) ? 1 : 2;
    };
    const all = [...this.units, ...this.queues];
    return [0, 1].flatMap((r) => all.filter((unit) => rank(unit) === r));
  }

  private paint(): void {
    const units: Entry[] = this.found().map((unit) => ({ ...unit, ...waysTo(unit) }));
    if (!units.length) units.push(...this.typed());
    keyed(this.box, units, (unit) => unit.id, (unit) => this.row(unit), paintHours);
    this.allow(this.allowed);
    if (this.units.length) this.note(units.length ? "" : "没有找到这个部门");
  }

  private row(unit: Entry): HTMLElement {
    const offered = unit.ways.map(([op, word]) => {
      const button = el("button", { class: "btn small", "data-way": op, "aria-label": `${word} ${unit.name}` }, word);
      button.addEventListener("click", () => this.choose(op, unit));
      return button;
    });
    const reached: string = Object.values(unit.named)[0] ?? "";
    const hours = el("span", { class: "hours" });
    return el(
      "div",
      { class: "unit" },
      el("b", {}, unit.name),
      el("span", { class: "ways" }, ...(reached ? offered : [])),
      el("span", { class: "wide small muted" }, hours, el("span", {}, unit.numbers.length ? reached : "")),
    );
  }

  // A closed unit may be called all the same: somebody may be on duty.
  private choose(op: WayOp, unit: Entry): void {
    const now = this.units.find(({ id }) => id === unit.id);
    if (now && now.is_open === false) this.tell(`${now.name}${now.standing}，仍在呼叫`);
    this.onChoose(op, unit.named);
  }

  // Enter goes to the first hit's button, a second Enter calls: nobody is called by a slip in typing.
  private onKey(event: KeyboardEvent): void {
    if (event.key !== "Enter" && event.key !== "ArrowDown") return;
    event.preventDefault();
    this.box.querySelector<HTMLElement>("button:not([disabled])")?.focus();
  }

  private note(message: string): void {
    const node = byId("no-units");
    node.hidden = message === "";
    setText(node, message);
  }
}
