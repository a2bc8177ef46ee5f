// Owns the word on the wall that the whole hotline is in an emergency mode (应急模式).

import { byId, setText } from "./dom.js";
import { dateTime } from "./time.js";

const EVERY_MS = 5000;

export function followMode(): void {
  void load();
  setInterval(() => void load(), EVERY_MS);
}

async function load(): Promise<void> {
  const answer = await fetch("/api/standing").catch(() => null);
  // What was known last stays: callers meet it, too, while the database is away.
  if (!answer?.ok) return;
  const { mode, since_us } = await answer.json();
  byId("mode").hidden = mode === "";
  setText(byId("mode"), mode === "" ? "" : `◆ 应急模式：${mode}，${dateTime(since_us).slice(5, 16)} 起`);
}
