// Owns the call and citizen panels: who calls, from where, what came before, who is in the conversation.

import type { AttemptState, CallerContext, Conversation, LegState, Participant, Seat, SeatState } from "./api.js";
import type { Ask } from "./ask.js";
import type { Config } from "./config.js";
import { byId, el, keyed, paintState, setText, stateBadge } from "./dom.js";
import { dayAndMinute, duration, nowUs } from "./time.js";

const RECENT_US = 30 * 86400 * 1e6;
// The CTI server gives the database five seconds; what has not come then does not come.
const LOOK_UP_US = 10 * 1e6;
const SHOWN_ATTEMPTS = 4;
const LEG_SHAPE: Readonly<Record<LegState, SeatState>> = { talking: "talking", ringing: "ringing", waiting: "ready", held: "held" };
const ATTEMPT_SHAPE: Partial<Record<AttemptState, SeatState>> = { calling: "ringing", ringing: "ringing", withdrawn: "not_ready", left: "not_ready" };

// A conversation with what is known of the citizen; `isPast`: it has ended and its notes are being written.
export interface Call {
  readonly id: string;
  readonly conversation: Conversation | undefined;
  readonly context: CallerContext | undefined;
  readonly isPast: boolean;
}

interface Page {
  readonly config: Config;
  readonly isUp: boolean;
  readonly ask: Ask;
}

interface Fact {
  readonly text: string;
  readonly isWarning: boolean;
}

export function paintCall(call: Call | null, seat: Seat, page: Page): void {
  paintHead(call, seat);
  paintParties(call, page);
  paintCitizen(call, seat, page);
}

function paintHead(call: Call | null, seat: Seat): void {
  const head = byId("call-head");
  head.classList.toggle("is-ringing", seat.state === "ringing");
  head.classList.toggle("is-past", call?.isPast ?? false);
  const conversation: Partial<Conversation> = call?.conversation ?? {};
  const context: Partial<CallerContext> = call?.context ?? {};
  setText(byId("call-number"), call ? (context.masked ?? "…") : "");
  setText(byId("call-place"), call ? [context.place, context.carrier].filter(Boolean).join(" · ") || "归属地未知" : "");
  setText(byId("call-line"), call ? line(call, conversation, context) : "没有通话");
  const timer = byId("call-timer");
  if (call && !call.isPast) {
    timer.dataset.since = String(seat.state === "ringing" ? seat.since_us : conversation.answered_us || seat.since_us);
  } else {
    delete timer.dataset.since;
    setText(timer, call ? "已结束" : "");
  }
}

function line(call: Call, conversation: Partial<Conversation>, context: Partial<CallerContext>): string {
  const joined = context.queued_us || conversation.queued_us || context.started_us || conversation.started_us;
  const dnis = context.dnis || conversation.dnis;
  const kind = conversation.is_outbound ? "外呼" : "来电";
  const words = [call.isPast ? `上一通${kind}` : kind];
  const label = context.label || conversation.label;
  if (label) words.push(label);
  else if (dnis) words.push(`拨打 ${dnis}`);
  if (joined && !conversation.is_outbound) words.push(`等待 ${duration((conversation.answered_us || nowUs()) - joined)}`);
  return words.join(" · ");
}

function paintParties(call: Call | null, page: Page): void {
  const conversation: Partial<Conversation> = call && !call.isPast ? (call.conversation ?? {}) : {};
  // A third party that still rings is shown once, by its attempt, where the reason of a failure will stand too.
  const parties = (conversation.participants ?? []).filter((p) => p.role !== "third_party" || p.state === "talking");
  // Nor is this seat's own phone, when it was called again.
  const attempts = (conversation.attempts ?? []).filter((a) => a.state !== "answered" && a.seat !== page.config.seat).slice(-SHOWN_ATTEMPTS);
  const name = (party: Participant) => partyName(party, call, page.config);
  keyed(byId("participants"), parties, (p) => p.leg, makeParty, (node, p) => {
    const shape = p.is_on_hold ? LEG_SHAPE.held : LEG_SHAPE[p.state];
    paintParty(node, shape, p.is_on_hold ? "话机保持" : page.config.words.leg[p.state], name(p), p.since_us);
    paintButton(node, "移出", (p.actions ?? []).includes("call.drop"), page, () => page.ask("call.drop", { leg: p.leg }));
  });
  keyed(byId("attempts"), attempts, (a) => a.n, makeParty, (node, a) => {
    const isOpen = a.state === "calling" || a.state === "ringing";
    const label = a.is_emergency ? `${a.number} ${a.label === a.number ? "" : a.label}` : a.label || a.number;
    const shape = ATTEMPT_SHAPE[a.state] ?? "phone_down";
    paintParty(node, shape, page.config.words.attempt[a.state], label, isOpen ? a.asked_us : 0);
    paintButton(node, "撤回", (a.actions ?? []).includes("call.withdraw"), page, () => page.ask("call.withdraw", { n: a.n }));
  });
}

function partyName(party: Participant, call: Call | null, config: Config): string {
  if (party.role === "citizen") return `市民 ${call?.context?.masked ?? ""}`;
  if (party.role === "seat") return party.label === config.seat ? "我" : `${party.label} 座席`;
  if (party.role === "supervisor") return `班长 ${party.label}`;
  return party.label || "第三方";
}

function makeParty(): HTMLElement {
  const button = el("button", { class: "btn small" });
  return el("div", { class: "party" }, stateBadge(), el("span", { class: "name" }), el("span", { class: "small muted" }), button);
}

function paintParty(node: HTMLElement, shape: SeatState, word: string, name: string, sinceUs: number): void {
  const [badge, label, time] = [...node.children] as [HTMLElement, HTMLElement, HTMLElement];
  paintState(badge, shape, word);
  setText(label, name);
  if (sinceUs) time.dataset.since = String(sinceUs);
  else {
    delete time.dataset.since;
    setText(time, "");
  }
}

function paintButton(node: HTMLElement, word: string, isOffered: boolean, page: Page, onClick: () => void): void {
  const button = node.lastElementChild as HTMLButtonElement;
  button.hidden = !isOffered;
  button.disabled = !page.isUp;
  button.onclick = onClick;
  setText(button, word);
}

function paintCitizen(call: Call | null, seat: Seat, { config }: Page): void {
  const queueName = (number: string) => config.queues.find((queue) => queue.number === number)?.name ?? number;
  const context = call?.context;
  setText(byId("citizen-name"), call ? context?.name || "市民" : seat.state === "ready" ? "等待来电" : "没有来电");
  const facts = context ? factsOf(context, queueName) : [];
  keyed(byId("citizen-facts"), facts, (f) => f.text, (f) => el("span", {}, f.text), (node, f) => {
    node.className = f.isWarning ? "chip warn" : "chip";
  });
  const contacts = context?.contacts ?? [];
  const row = () => el("tr", {}, el("td"), el("td"));
  keyed(byId("contacts"), contacts, (c) => c.conversation, row, (node, c) => {
    const outcome = config.words.outcome[c.outcome] ?? c.outcome;
    paintRow(node, c.at_us, [outcome, c.agent && `工号 ${c.agent}`, c.talk_ms && `通话 ${duration(c.talk_ms * 1000)}`]);
  });
  byId("no-contacts").hidden = contacts.length > 0;
  setText(byId("no-contacts"), context ? nothingFound(context) : "来电时自动显示");
}

function nothingFound(context: CallerContext): string {
  if (context.is_complete) return "没有记录";
  const askedUs = context.queued_us || context.started_us || 0;
  return nowUs() - askedUs < LOOK_UP_US ? "正在查询…" : "暂时查不到，请口头核实";
}

function factsOf(context: CallerContext, queueName: (number: string) => string): Fact[] {
  const facts: Fact[] = [];
  const recent = (context.contacts ?? []).filter((c) => nowUs() - c.at_us < RECENT_US).length;
  const open = (context.cases ?? []).filter((c) => c.state !== "closed").length;
  if (context.is_withheld) facts.push({ text: "未显示号码", isWarning: false });
  if (context.is_complete) facts.push({ text: recent ? `近30天第 ${recent + 1} 次来电` : "近30天首次来电", isWarning: false });
  if (context.is_callback) {
    facts.push({ text: `保位回呼，${dayAndMinute(context.queued_us ?? 0)} 起排队`, isWarning: true });
  }
  if (context.waited_before_ms) {
    facts.push({ text: `此前已等 ${duration(context.waited_before_ms * 1000)} 后放弃`, isWarning: true });
  }
  if (context.passed_from) {
    facts.push({ text: `由${queueName(context.passed_from)}转来 · 此前已等 ${duration((context.waited_ms ?? 0) * 1000)}`, isWarning: true });
  }
  if (context.way) facts.push({ text: context.way, isWarning: false });
  if (open) facts.push({ text: `${open} 件在办`, isWarning: true });
  return facts;
}

function paintRow(node: HTMLElement, atUs: number, words: readonly (string | 0)[]): void {
  setText(node.firstChild!, dayAndMinute(atUs));
  setText(node.lastChild!, words.filter(Boolean).join(" · "));
}
