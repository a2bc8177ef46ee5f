// Owns the list of missed calls (漏接) on the agent's page: who waits, and what can be done about each, by one agent.

import type { CaseBrief } from "./api.js";
import type { Contact } from "./case-form.js";
import type { Config } from "./config.js";
import { buttons, byId, el, keyed, setText } from "./dom.js";
import { NotDone, post } from "./posting.js";
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
  // Their number is not known.
  readonly is_withheld: boolean;
  // Who works on it now (工号), "" for nobody.
  readonly taken_by: string;
}

// As the desk answers whoever begins: the citizen's open cases.
interface Taken {
  readonly cases: readonly CaseBrief[];
}

// 回拨, 登记, and what to say of them.
interface Deeds {
  readonly call: (args: { number: string; about: string }) => void;
  readonly take: (contact: Contact) => void;
  readonly tell: (message: string) => void;
}

// Why there is nothing to do about a call.
const VOID = ["无声或误拨", "已另行联系", "广告骚扰"] as const;

export class Missed {
  private callers: readonly Caller[] = [];
  private isAllowed = false;

  constructor(private readonly config: Config, private readonly deeds: Deeds) {
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
    for (const button of buttons(byId("missed"), "[data-way]")) button.disabled = !this.isAllowed;
  }

  private paint(): void {
    setText(byId("missed-count"), this.callers.length ? String(this.callers.length) : "");
    byId("no-missed").hidden = this.callers.length > 0;
    keyed(byId("missed"), this.callers, (c) => c.conversation, (c) => this.row(c), (node, c) => {
      setText(node.querySelector(".hours")!, this.story(c));
    });
    this.allow(this.isAllowed ? ["call.dial"] : []);
  }

  // Begin with it, so that no second agent does; then go on.
  private async begin(caller: Caller, deed: string, then: (told: Taken) => void, body: unknown = {}): Promise<void> {
    try {
      then(await post<Taken>(`/api/missed/${encodeURIComponent(caller.conversation)}/${deed}`, body, this.config.form_word));
    } catch (error) {
      if (!(error instanceof NotDone)) throw error;
      this.deeds.tell(error.message);
    }
    await this.load();
  }

  private row(caller: Caller): HTMLElement {
    const { conversation, number, masked } = caller;
    const way = (word: string, onClick: () => void, more: Readonly<Record<string, string>> = {}) =>
      el("button", { class: "btn small", "aria-label": `${word} ${masked}`, onclick: onClick, ...more }, word);
    const call = () => void this.begin(caller, "take", () => this.deeds.call({ number, about: conversation }));
    const take = () => void this.begin(caller, "take", ({ cases }) => this.deeds.take({ conversation, number, masked, cases }));
    const ways: HTMLElement[] = [way("登记", take), this.voiding(caller)];
    if (!caller.is_withheld) ways.unshift(way("回拨", call, { "data-way": "call.dial" }));
    if (caller.outcome === "message") {
      // The recording begins with the greeting: play from where the message does.
      const sound = `/api/recordings/${encodeURIComponent(conversation)}/citizen#t=${caller.message_from_s}`;
      ways.unshift(el("a", { class: "btn small", href: sound, target: "_blank", rel: "noopener" }, "听留言"));
    }
    return el(
      "div",
      { class: "unit" },
      el("b", { class: "wide" }, masked),
      el("span", { class: "ways wide-ways" }, ...ways),
      el("span", { class: "wide small muted" }, el("span", { class: "hours" })),
    );
  }

  private voiding(caller: Caller): HTMLElement {
    const options = ["无需处理…", ...VOID].map((word, n) => el("option", { value: n ? word : "" }, word));
    const choice = el("select", { class: "small", "aria-label": `无需处理 ${caller.masked}` }, ...options);
    choice.addEventListener("change", () => void this.begin(caller, "void", () => undefined, { why: choice.value }));
    return choice;
  }

  private story({ at_us, outcome, wait_ms, calls, tries, taken_by: holder }: Caller): string {
    const words = [dayAndMinute(at_us), this.config.words.outcome[outcome] ?? outcome, `等 ${duration(wait_ms * 1000)}`];
    if (calls > 1) words.push(`${calls} 次`);
    if (tries) words.push(`已回拨 ${tries} 次未通`);
    if (holder && holder !== this.config.person) words.unshift(`工号 ${holder} 正在处理`);
    return words.join(" · ");
  }
}
