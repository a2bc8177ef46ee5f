// Owns the list of missed calls (漏接) on the agent's page: who waits to be called back, and the button that calls.

import type { Config } from "./config.js";
import { buttons, byId, el, keyed, setText } from "./dom.js";
import { dayAndMinute, duration } from "./time.js";

const EVERY_MS = 15000;

// As /api/missed tells of a caller.
interface Caller {
  readonly conversation: string;
  readonly number: string;
  readonly masked: string;
  readonly at_us: number;
  readonly outcome: string;
  readonly wait_ms: number;
  readonly calls: number;
  readonly tries: number;
  // Of a message (留言): where in the recording it begins, seconds.
  readonly message_from_s: number;
}

export class Missed {
  private callers: readonly Caller[] = [];
  private isAllowed = false;

  constructor(private readonly config: Config, private readonly onCall: (op: "call.dial", args: { number: string; about: string }) => void) {
    void this.load();
    setInterval(() => void this.load(), EVERY_MS);
  }

  async load(): Promise<void> {
    try {
      const answer = await fetch("/api/missed");
      if (!answer.ok) throw new Error(`missed: ${answer.status}`);
      this.callers = (await answer.json()).callers;
      setText(byId("no-missed"), "没有漏接的来电");
    } catch {
      setText(byId("no-missed"), "漏接列表暂不可用，稍后自动重试");
    }
    this.paint();
  }

  allow(allowed: readonly string[]): void {
    this.isAllowed = allowed.includes("call.dial");
    for (const button of buttons(byId("missed"))) button.disabled = !this.isAllowed;
  }

  private paint(): void {
    setText(byId("missed-count"), this.callers.length ? String(this.callers.length) : "");
    byId("no-missed").hidden = this.callers.length > 0;
    keyed(byId("missed"), this.callers, (c) => c.conversation, (c) => this.row(c), (node, c) => {
      setText(node.querySelector(".hours")!, this.story(c));
    });
    this.allow(this.isAllowed ? ["call.dial"] : []);
  }

  private row(caller: Caller): HTMLElement {
    const button = el("button", { class: "btn small", "aria-label": `回拨 ${caller.masked}` }, "回拨");
    button.addEventListener("click", () => this.onCall("call.dial", { number: caller.number, about: caller.conversation }));
    const ways: HTMLElement[] = [button];
    if (caller.outcome === "message") {
      // The recording begins with the greeting: play from where the message does.
      const sound = `/api/recordings/${encodeURIComponent(caller.conversation)}/citizen#t=${caller.message_from_s}`;
      ways.unshift(el("a", { class: "btn small", href: sound, target: "_blank", rel: "noopener" }, "听留言"));
    }
    return el(
      "div",
      { class: "unit" },
      el("b", {}, caller.masked),
      el("span", { class: "ways" }, ...ways),
      el("span", { class: "wide small muted" }, el("span", { class: "hours" })),
    );
  }

  private story({ at_us, outcome, wait_ms, calls, tries }: Caller): string {
    const words = [dayAndMinute(at_us), this.config.words.outcome[outcome] ?? outcome, `等 ${duration(wait_ms * 1000)}`];
    if (calls > 1) words.push(`${calls} 次`);
    if (tries) words.push(`已回拨 ${tries} 次未通`);
    return words.join(" · ");
  }
}
