// Owns the agent's own figures of the day (今日) in the top bar.

import type { SeatState } from "./api.js";
import { byId, setText } from "./dom.js";
import { percent } from "./queue.js";
import { duration } from "./time.js";

const EVERY_MS = 60000;
// What has just ended is in the database a moment later.
const SOON_MS = 1500;
// A call or a wrap-up has ended, perhaps.
const RESTING: ReadonlySet<SeatState> = new Set(["ready", "not_ready", "wrap_up"]);

export class Workday {
  private state: SeatState | null = null;

  constructor() {
    void this.load();
    setInterval(() => void this.load(), EVERY_MS);
  }

  follow(state: SeatState): void {
    if (state === this.state) return;
    this.state = state;
    if (RESTING.has(state)) setTimeout(() => void this.load(), SOON_MS);
  }

  private async load(): Promise<void> {
    const answer = await fetch("/api/workday").catch(() => null);
    // The last figures stay: they are older, not wrong.
    if (!answer?.ok) return;
    const { calls, talk_ms, wrap_up_ms, answered, in_time } = await answer.json();
    setText(byId("day-calls"), String(calls));
    setText(byId("day-rate"), percent(in_time, answered));
    setText(byId("day-talk"), duration(talk_ms * 1000));
    setText(byId("day-wrap-up"), duration(wrap_up_ms * 1000));
  }
}
