// Owns the queue's figures as both pages show them, with their formulas.

import { byId, setClass, setText } from "./dom.js";
import { since } from "./time.js";

const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)}%` : "–");

// 15-second rate (GB/T 33358): answered in time ÷ (answered + abandoned). Short abandons are on neither side.
export function rates(queue) {
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

export function paintQueue(queue) {
  const { offered, inTime, isGood } = rates(queue);
  setText(byId("q-waiting"), String(queue.waiting ?? 0));
  setText(byId("q-longest"), queue.oldest_us ? since(queue.oldest_us) : "00:00");
  setText(byId("q-rate"), inTime);
  setClass(byId("q-rate"), offered === 0 ? "" : isGood ? "good" : "bad");
}
