// Owns the supervisor's panel: what may be done to the seat or caller that was clicked, and asking for it.

import type { Commands, Conversation, Participant, Seat } from "./api.js";
import type { Op } from "./ask.js";
import type { PushLink } from "./push.js";
import type { Config } from "./config.js";
import { all, buttonById, buttons, byId, el, inputById, keyed, setText } from "./dom.js";

const TOAST_MS = 6000;
const HEARING = ["listen", "whisper", "barge", "take_over"] as const;
// Asked for by the seat: there only while it does.
const RESTS = ["grant_rest", "grant_rest_over", "refuse_rest"] as const;
const OTHERS = [...RESTS, "hang_up", "answer_hand", "ready", "wrap_up", "sign_out"] as const;
const DANGER: ReadonlySet<string> = new Set(["take_over", "hang_up", "sign_out"]);

type Deed = (typeof HEARING)[number] | (typeof OTHERS)[number];
type SuperviseOp = Extract<Op, `supervise.${string}`>;
const isOneOf = (names: readonly string[], name: string): boolean => names.includes(name);

// What the panel is open for.
interface About {
  readonly seat?: string;
  readonly call?: string;
  readonly all?: boolean;
}

export class Panel {
  private about: About | null = null;
  private toastTimer = 0;
  private served = "";

  constructor(private readonly config: Config, private readonly link: PushLink) {
    byId("oversee-close").addEventListener("click", () => this.open(null));
    byId("to-all").addEventListener("click", () => this.open({ all: true }));
    byId("oversee-message").addEventListener("submit", (event) => void this.write(event));
    byId("stop-hearing").addEventListener("click", () => void this.ask("supervise.stop", {}));
    byId("phone").addEventListener("change", () => (byId("phone-form") as HTMLFormElement).submit());
    for (const reason of config.reasons) {
      const button = el("button", { class: "btn small", onclick: () => this.askSeat("supervise.not_ready", { reason }) }, reason);
      byId("oversee-reasons").append(button);
    }
    for (const [box, names] of [["oversee-hearing", HEARING], ["oversee-acts", OTHERS]] as const) {
      for (const name of names) byId(box).append(this.button(name));
    }
    byId("oversee-serves").append(...config.queues.map((queue) => this.penaltyOf(queue)));
    byId("oversee-queues").addEventListener("submit", (event) => this.assign(event));
    byId("oversee-by-skill").addEventListener("click", () => void this.askSeat("supervise.queues", {}));
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.open(null));
  }

  private button(name: Deed): HTMLElement {
    const look = DANGER.has(name) ? "btn small danger" : "btn small";
    return el("button", { class: look, "data-act": name, onclick: () => this.askSeat(`supervise.${name}`, {}) }, this.config.words.oversight[name]);
  }

  // How early the seat rings for that queue; "" is not at all.
  private penaltyOf({ number, name }: Config["queues"][number]): HTMLElement {
    const penalties = [...Array(this.config.worst_penalty + 1).keys()].map((p) => el("option", { value: String(p) }, `${p} 级`));
    return el("label", { class: "small" }, `${name} `, el("select", { "data-queue": number }, el("option", { value: "" }, "不服务"), ...penalties));
  }

  private assign(event: Event): void {
    event.preventDefault();
    const chosen = this.choices().filter((select) => select.value !== "");
    const queues = Object.fromEntries(chosen.map((s) => [s.dataset.queue, Number(s.value)]));
    if (chosen.length) void this.askSeat("supervise.queues", { queues });
    else this.toast("至少选一个排队；要按技能服务请点“恢复技能”");
  }

  private choices(): HTMLSelectElement[] {
    return all<HTMLSelectElement>(byId("oversee-serves"), "select");
  }

  // What the seat serves is filled in when the panel opens and when it changes, never over what is being chosen.
  private paintServed(seat: Seat): void {
    setText(byId("oversee-assigned"), seat.is_assigned ? "服务的排队：班长调配，至签出" : "服务的排队：按技能");
    const penalties = new Map((seat.queues ?? []).map((queue, n) => [queue, String(seat.penalties?.[n])]));
    const served = JSON.stringify([seat.id, [...penalties]]);
    if (served === this.served) return;
    this.served = served;
    for (const select of this.choices()) select.value = penalties.get(select.dataset.queue ?? "") ?? "";
  }

  // Null closes.
  open(about: About | null): void {
    this.about = about;
    this.served = "";
    inputById("oversee-why").value = "";
    inputById("oversee-text").value = "";
    this.paint();
    if (about) byId("oversee-close").focus();
  }

  // Where my phone is: the seat that it hears, and what it does.
  private mine(): Participant | null {
    if (!this.config.seat) return null;
    for (const call of this.link.seen.conversations.values()) {
      const part = (call.participants ?? []).find((p) => p.phone === this.config.seat);
      if (part) return part;
    }
    return null;
  }

  paint(): void {
    const mine = this.mine();
    byId("hearing").hidden = mine === null;
    if (mine) {
      const word = this.config.words.oversight[mine.oversight ?? ""];
      setText(byId("hearing-what"), mine.state === "ringing" ? `话机振铃：${word} ${mine.watches}` : `正在${word} ${mine.watches}`);
    }
    const seat = this.link.seen.seats.get(this.about?.seat ?? "");
    const call = this.link.seen.conversations.get(this.about?.call ?? "");
    if (this.about && !this.about.all && !seat && !call) this.about = null;
    byId("oversee").hidden = this.about === null;
    byId("oversee-seat").hidden = !seat;
    byId("oversee-call").hidden = !call;
    byId("oversee-message").hidden = Boolean(call);
    if (seat) this.paintSeat(seat, mine);
    if (call) this.paintCall(call);
    if (this.about?.all) setText(byId("oversee-title"), "群发消息");
  }

  private paintSeat(seat: Seat, mine: Participant | null): void {
    const can: ReadonlySet<string> = new Set(seat.supervise ?? []);
    const isUp = this.link.isUp;
    setText(byId("oversee-title"), `${seat.id} ${seat.agent_name || seat.agent || "无人签入"}`);
    for (const button of buttons(byId("oversee-seat"), "[data-act]")) {
      const name = button.dataset.act ?? "";
      const isHeard = isOneOf(HEARING, name);
      button.disabled = !isUp || !can.has(`supervise.${name}`) || (isHeard && !this.config.seat);
      if (isOneOf(RESTS, name)) button.hidden = !can.has(`supervise.${name}`);
      if (isHeard) button.setAttribute("aria-pressed", String(mine?.watches === seat.id && mine.oversight === name));
    }
    for (const button of buttons(byId("oversee-reasons"))) button.disabled = !isUp || !can.has("supervise.not_ready");
    this.paintServed(seat);
    byId("oversee-no-phone").hidden = Boolean(this.config.seat);
    buttonById("oversee-send").disabled = !isUp || !can.has("supervise.message");
  }

  private paintCall(call: Conversation): void {
    const name = this.link.seen.contexts.get(call.id)?.masked ?? "市民";
    setText(byId("oversee-title"), `指派 ${name}`);
    const isWaiting = (call.supervise ?? []).includes("supervise.pick");
    const free = [...this.link.seen.seats.values()].filter((s) => isWaiting && (s.supervise ?? []).includes("supervise.pick"));
    free.sort((a, b) => a.id.localeCompare(b.id));
    keyed(byId("oversee-free"), free, (s) => s.id, (s) => this.freeSeat(s), (node, s) => {
      setText(node.lastChild!, this.config.words.seat[s.state]);
      node.disabled = !this.link.isUp;
    });
    byId("oversee-none").hidden = free.length > 0;
    setText(byId("oversee-none"), isWaiting ? "没有可指派的座席" : "该来电已不在排队中");
  }

  private freeSeat(seat: Seat): HTMLButtonElement {
    const pick = async () => {
      const conversation = this.about?.call ?? "";
      if (await this.ask("supervise.pick", { conversation, seat: seat.id })) this.open(null);
    };
    return el("button", { class: "btn small", onclick: pick }, el("b", {}, seat.id), el("span", { class: "muted" }));
  }

  // About the seat that the panel shows (nobody's, when it writes to all).
  private askSeat<O extends SuperviseOp>(op: O, args: Omit<Commands[O], "seat">): Promise<boolean> {
    const about = this.about?.seat ? { seat: this.about.seat, ...args } : args;
    return this.ask(op, about as Commands[O]);
  }

  // With the reason, if one was written.
  async ask<O extends SuperviseOp>(op: O, args: Commands[O]): Promise<boolean> {
    const why = inputById("oversee-why").value.trim();
    try {
      await this.link.ask(op, why ? { ...args, why } : args);
      return true;
    } catch (refusal) {
      this.toast((refusal as Error).message);
      return false;
    }
  }

  private async write(event: Event): Promise<void> {
    event.preventDefault();
    if (await this.askSeat("supervise.message", { text: inputById("oversee-text").value })) {
      inputById("oversee-text").value = "";
      this.toast("消息已发送");
    }
  }

  toast(message: string): void {
    clearTimeout(this.toastTimer);
    const node = byId("toast");
    node.hidden = false;
    setText(node, message);
    this.toastTimer = window.setTimeout(() => (node.hidden = true), TOAST_MS);
  }
}
