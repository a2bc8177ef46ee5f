// Owns the day's curves (今日走势) below the seat wall: fetched while they are open, drawn by a part loaded then.

import { byId, setText } from "./dom.js";
import { percent } from "./queue.js";
import { dateTime } from "./time.js";

const EVERY_MS = 60000;
// Less has no room for both the seats and the curves.
const ROOMY_PX = 900;

export interface Slot {
  readonly at_us: number;
  readonly calls: number;
  readonly answered: number;
  readonly in_time: number;
  readonly abandoned: number;
  readonly wait_ms: number;
}

export class Curves {
  private slots: Slot[] = [];

  constructor(private readonly box: HTMLDetailsElement) {
    box.open = innerHeight >= ROOMY_PX;
    box.addEventListener("toggle", () => void this.load());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => void this.draw());
    addEventListener("resize", () => void this.draw());
    setInterval(() => void this.load(), EVERY_MS);
    void this.load();
  }

  private async load(): Promise<void> {
    if (!this.box.open) return;
    const answer = await fetch("/api/curves").catch(() => null);
    // The last curves stay: they are older, not wrong.
    if (!answer?.ok) return;
    this.slots = (await answer.json()).slots;
    await this.draw();
  }

  private async draw(): Promise<void> {
    if (!this.box.open) return;
    const sum = (of: (slot: Slot) => number): number => this.slots.reduce((all, slot) => all + of(slot), 0);
    const [calls, answered, inTime, gone] = [sum((s) => s.calls), sum((s) => s.answered), sum((s) => s.in_time), sum((s) => s.abandoned)];
    const told = calls
      ? `来电 ${calls}，接通 ${answered}，按时 ${percent(inTime, answered)}，放弃 ${gone}`
      : "今天还没有人进入排队";
    setText(byId("curves-note"), told);
    const curve = byId("curve");
    curve.setAttribute("aria-label", `今日走势：${told}`);
    const { draw } = await import("./chart.js");
    draw(curve, this.slots, (atUs) => dateTime(atUs).slice(11, 16));
  }
}
