// Owns the queues' figures as both pages show them, with their formulas.

import type { Queue } from "./api.js";
import { byId, setClass, setText } from "./dom.js";
import { since } from "./time.js";

// What is shown of one queue, or of all together.
export type Figures = Partial<Pick<Queue, "waiting" | "answered" | "in_time" | "abandoned" | "short_abandoned" | "oldest_us">>;

export const percent = (part: number, whole: number) => (whole ? `${((100 * part) / whole).toFixed(1)}%` : "–");

// 15-second rate (GB/T 33358): answered in time ÷ (answered + abandoned). Short abandons are on neither side.
export function rates(queue: Figures) {
  const answered = queue.answered ?? 0;
  const offered = answered + (queue.abandoned ?? 0);
  return {
    answered,
    offered,
    inTime: percent(queue.in_time ?? 0, offered),
    connected: percent(answered, offered),
    isGood: (queue.in_time ?? 0) >= 0.85 * offered,
  };
}

const COUNTED = ["waiting", "answered", "in_time", "abandoned", "short_abandoned"] as const;

// All queues (综合 and those by skill) as one. Seats are not added up: one may serve several queues.
export function together(queues: ReadonlyMap<string, Queue>): Figures {
  const all = [...queues.values()];
  const sum = Object.fromEntries(COUNTED.map((part) => [part, all.reduce((n, queue) => n + (queue[part] ?? 0), 0)]));
  const oldest = all.map((queue) => queue.oldest_us ?? 0).filter((at) => at > 0);
  return { ...sum, oldest_us: oldest.length ? Math.min(...oldest) : 0 };
}

export function paintQueue(queue: Figures): void {
  const { offered, inTime, isGood } = rates(queue);
  setText(byId("q-waiting"), String(queue.waiting ?? 0));
  setText(byId("q-longest"), queue.oldest_us ? since(queue.oldest_us) : "00:00");
  setText(byId("q-rate"), inTime);
  setClass(byId("q-rate"), offered === 0 ? "" : isGood ? "good" : "bad");
}
