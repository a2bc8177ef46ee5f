// Owns the seat wall: one tile per seat, the queue's figures, alarms first. Paints five times a second, and only what changed.

import type { AttemptState, Callback, Conversation, Push, Seat, SeatState } from "./api.js";
import { readConfig } from "./config.js";
import { Curves } from "./curves.js";
import { buttons, byId, el, keyed, paintState, setText, stateBadge } from "./dom.js";
import { followMode } from "./mode.js";
import { PushLink } from "./push.js";
import { paintQueue, rates, together } from "./queue.js";
import { Panel } from "./supervise.js";
import { dateTime, nowUs, since } from "./time.js";

const LONG_CALL_US = 10 * 60 * 1e6;
const TALKING: ReadonlySet<SeatState> = new Set(["talking", "held", "consulting", "conference"]);
const LIVE: ReadonlySet<AttemptState> = new Set(["calling", "ringing", "answered"]);
const MOST_WAITING = 12;
// Nobody reads faster, and a busy hall changes fifty times a second: a frame for each would cost a core.
const PAINT_MS = 200;
const COUNTED: readonly SeatState[] = ["ringing", "held", "consulting", "conference", "wrap_up", "not_ready", "phone_down"];

interface Alarm {
  readonly level: string;
  readonly word: string;
  readonly hasList?: boolean;
}

const config = readConfig();
new Curves(byId("curves") as HTMLDetailsElement);
const seesCalls = document.getElementById("alarms") !== null;
const tiles = new Map<string, HTMLElement>();
const dirty = new Set<string>();
let isPending = false;

const seats = (): Seat[] => [...link.seen.seats.values()].sort((a, b) => a.id.localeCompare(b.id));

// What a supervisor must not miss about a seat; the gravest only.
function alarmOf(seat: Seat): Alarm | null {
  const conversation = link.seen.conversations.get(seat.conversation ?? "");
  const emergency = (conversation?.attempts ?? []).find((a) => a.is_emergency && LIVE.has(a.state));
  if (emergency) return { level: "is-alarm", word: `${emergency.number} ${config.words.attempt[emergency.state]}` };
  if (TALKING.has(seat.state) && talkSince(seat, conversation) + LONG_CALL_US < nowUs()) {
    return { level: "is-alarm", word: "超长通话" };
  }
  if (seat.hand_us) return { level: "is-warned", word: `举手 ${since(seat.hand_us)}` };
  if (seat.rest_us) return { level: "is-warned", word: `申请${seat.rest_reason} ${since(seat.rest_us)}`, hasList: true };
  if (seat.state === "phone_down") return { level: "is-warned", word: "话机离线" };
  return null;
}

// A three-way begins a new state; a long call is long from its first answer.
const talkSince = (seat: Seat, conversation: Conversation | undefined): number => conversation?.answered_us || seat.since_us;

function noteOf(seat: Seat): string {
  if (seat.reason) return seat.reason;
  const conversation = link.seen.conversations.get(seat.conversation ?? "");
  const third = (conversation?.participants ?? []).find((p) => p.role === "third_party");
  return third?.label || link.seen.contexts.get(seat.conversation ?? "")?.masked || "";
}

function makeTile(seat: Seat): HTMLElement {
  const node = el(
    "div",
    { class: "tile" },
    el("span", { class: "top" }, el("b", {}, seat.id), el("span", { class: "who" })),
    stateBadge(),
    el("span", { class: "note small muted" }),
    el("span", { class: "flag" }),
  );
  if (panel) opens(node, () => panel?.open({ seat: seat.id }));
  tiles.set(seat.id, node);
  return node;
}

// By mouse and by keyboard.
function opens(node: HTMLElement, open: () => void): void {
  node.classList.add("is-open");
  node.setAttribute("role", "button");
  node.tabIndex = 0;
  node.addEventListener("click", open);
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target !== node) return;
    event.preventDefault();  // else the same key presses the button that gets the focus
    open();
  });
}

function paintTile(seat: Seat): void {
  const node = tiles.get(seat.id);
  if (node === undefined) return;
  const [top, badge, note, flag] = [...node.children] as [HTMLElement, HTMLElement, HTMLElement, HTMLElement];
  const alarm = alarmOf(seat);
  const isOff = seat.state === "signed_out";
  const name = `tile ${alarm?.level ?? ""} ${isOff ? "is-off" : ""} ${panel ? "is-open" : ""}`;
  if (node.className !== name) node.className = name;
  setText(top.lastChild!, isOff ? "—" : seat.agent_name || seat.agent || "");
  setText(note, noteOf(seat));
  flag.hidden = alarm === null;
  setText(flag, alarm?.word ?? "");
  paintTime(seat, badge);
}

function paintTime(seat: Seat, badge: HTMLElement): void {
  const word = config.words.seat[seat.state];
  paintState(badge, seat.state, seat.state === "signed_out" ? word : `${word} ${since(seat.since_us)}`);
}

function paint(): void {
  isPending = false;
  if (tiles.size !== link.seen.seats.size) {
    tiles.clear();
    keyed(byId("tiles"), seats(), (seat) => seat.id, makeTile, (node, seat) => tiles.set(seat.id, node));
  }
  for (const id of dirty) {
    const seat = link.seen.seats.get(id);
    if (seat) paintTile(seat);
  }
  dirty.clear();
  paintFigures();
  paintAside();
}

function paintFigures(): void {
  const queue = together(link.seen.queues);
  const { answered, offered, connected } = rates(queue);
  paintQueue(queue);
  setText(byId("q-connect"), connected);
  setText(byId("q-connect-of"), `接通率 ${answered} / ${offered}`);
  setText(byId("q-abandoned"), String(queue.abandoned ?? 0));
  const count = (state: SeatState) => seats().filter((seat) => seat.state === state).length;
  setText(byId("q-signed-in"), String(seats().length - count("signed_out")));
  setText(byId("q-ready"), String(count("ready")));
  setText(byId("q-talking"), String(seats().filter((seat) => TALKING.has(seat.state)).length));
  keyed(byId("counts"), COUNTED, (s) => s,
    (s) => el("span", {}, `${config.words.seat[s]} `, el("b")),
    (node, s) => setText(node.lastChild!, String(count(s))));
}

function paintAside(): void {
  if (panel === null) return;
  panel.paint();
  paintRests();
  const alarms = seats().flatMap((seat) => {
    const alarm = alarmOf(seat);
    return alarm && !alarm.hasList ? [{ seat, alarm }] : [];
  });
  alarms.sort((a, b) => a.alarm.level.localeCompare(b.alarm.level));
  keyed(byId("alarms"), alarms, ({ seat }) => seat.id, makeAlarm, (node, { seat, alarm }) => {
    node.className = `line is-open ${alarm.level}`;
    paintLine(node, `${seat.id} ${seat.agent_name ?? ""}`, alarm.word);
  });
  byId("no-alarms").hidden = alarms.length > 0;
  setText(byId("alarm-count"), alarms.length ? String(alarms.length) : "");
  const waiting = [...link.seen.conversations.values()].filter((c) => c.phase === "queued");
  waiting.sort((a, b) => (a.queued_us ?? 0) - (b.queued_us ?? 0));
  keyed(byId("waiting"), waiting.slice(0, MOST_WAITING), (c) => c.id, makeWaiting, (node, c) => {
    const can = c.supervise ?? [];
    const [pick, raise] = buttons(node) as [HTMLButtonElement, HTMLButtonElement];
    pick.disabled = !link.isUp || !can.includes("supervise.pick");
    raise.disabled = !link.isUp || !can.includes("supervise.raise");
    setText(raise, c.is_raised ? "已提前" : "提前");
    paintLine(node, link.seen.contexts.get(c.id)?.masked ?? "市民", since(c.queued_us));
  });
  byId("no-waiting").hidden = waiting.length > 0;
  paintCallbacks();
}

// 保位回呼: who keeps a place in line and will be called back, the longest waiting first.
function paintCallbacks(): void {
  const kept = [...link.seen.callbacks.values()].sort((a, b) => a.since_us - b.since_us);
  keyed(byId("callbacks"), kept.slice(0, MOST_WAITING), (c) => c.id, makeCallback, (node, c) => {
    buttons(node)[0]!.disabled = !link.isUp || !(c.supervise ?? []).includes("supervise.cancel_callback");
    const tried = c.tries ? ` 已试 ${c.tries} 次` : "";
    paintLine(node, `${hidden(c.number)} ${config.words.callback[c.state ?? "waiting"]}${tried}`, since(c.since_us));
  });
  byId("callbacks-box").hidden = kept.length === 0;
  setText(byId("callback-count"), String(kept.length));
}

// As callers are shown on the wall: whoever passes by shall not read whole numbers.
const hidden = (number: string): string => (number.length > 7 ? `${number.slice(0, 3)}****${number.slice(-4)}` : number);

function makeCallback(callback: Callback): HTMLElement {
  const node = makeLine();
  const cancel = () => panel?.ask("supervise.cancel_callback", { conversation: callback.id });
  node.append(el("button", { class: "btn small", onclick: cancel }, config.words.oversight.cancel_callback));
  return node;
}

// Who asks for a rest, the longest first; and how many rest of those who may at once.
function paintRests(): void {
  const asked = seats().filter((seat) => seat.rest_us).sort((a, b) => (a.rest_us ?? 0) - (b.rest_us ?? 0));
  byId("rests").hidden = asked.length === 0;
  const resting = seats().filter((seat) => seat.is_resting).length;
  setText(byId("rest-count"), config.rest_most ? `在休 ${resting} / ${config.rest_most}` : `在休 ${resting}`);
  keyed(byId("rest-asked"), asked, (seat) => seat.id, makeRest, (node, seat) => {
    const can: readonly string[] = seat.supervise ?? [];
    for (const button of buttons(node)) button.disabled = !link.isUp || !can.includes(`supervise.${button.dataset.rest}`);
    paintLine(node, `${seat.id} ${seat.agent_name ?? ""} ${seat.rest_reason}`, since(seat.rest_us));
  });
}

function makeRest(seat: Seat): HTMLElement {
  const node = makeLine();
  for (const [name, word] of [["grant_rest", "批准"], ["refuse_rest", "驳回"]] as const) {
    node.append(el("button", { class: "btn small", "data-rest": name, onclick: () => panel?.ask(`supervise.${name}`, { seat: seat.id }) }, word));
  }
  return node;
}

const makeLine = (): HTMLElement => el("div", { class: "line" }, el("span", { class: "n" }), el("b"));

function makeAlarm({ seat }: { seat: Seat }): HTMLElement {
  const node = makeLine();
  opens(node, () => panel?.open({ seat: seat.id }));
  return node;
}

function makeWaiting(call: Conversation): HTMLElement {
  const node = makeLine();
  node.append(
    el("button", { class: "btn small", onclick: () => panel?.open({ call: call.id }) }, "指派"),
    el("button", { class: "btn small", onclick: () => panel?.ask("supervise.raise", { conversation: call.id }) }, "提前"),
  );
  return node;
}

function paintLine(node: HTMLElement, name: string, value: string): void {
  setText(node.children[0]!, name);
  setText(node.children[1]!, value);
}

// The conversation that a push is about, "" for none.
function aboutCall(push: Push): string {
  if (push.type === "conversation") return push.conversation.id;
  if (push.type === "pop" || push.type === "context") return push.context.conversation;
  return push.type === "conversation_gone" ? push.id : "";
}

function touch(push: Push): void {
  const call = aboutCall(push);
  if (push.type === "seat") dirty.add(push.seat.id);
  for (const seat of link.seen.seats.values()) {
    if (push.type === "snapshot" || (call !== "" && seat.conversation === call)) dirty.add(seat.id);
  }
  if (!isPending) {
    isPending = true;
    setTimeout(paint, PAINT_MS);
  }
}

function paintBanner(): void {
  let message = "";
  if (!link.hasBeenUp) message = "正在连接…";
  else if (!link.isUp) message = "与服务器的连接中断，正在重连…";
  else if (!link.seen.linked) message = "与交换机的连接中断，所示状态可能已过时";
  byId("banner").hidden = message === "";
  byId("banner").classList.toggle("is-quiet", link.isUp);
  setText(byId("banner"), message);
  document.body.classList.toggle("is-lost", !link.isUp);
}

function tick(): void {
  setText(byId("clock"), dateTime(nowUs()));
  for (const seat of link.seen.seats.values()) {
    const tile = tiles.get(seat.id);
    if (tile === undefined) continue;
    if (TALKING.has(seat.state)) paintTile(seat);
    else if (seat.state !== "signed_out") paintTime(seat, tile.children[1] as HTMLElement);
  }
  paintFigures();
  paintAside();
}

const link = new PushLink(config, {
  onPush: (push) => {
    touch(push);
    if (panel && push.type === "notice" && push.seat === config.seat) panel.toast(push.message);
    if (push.type === "snapshot" || push.type === "link") paintBanner();
  },
  onLink: paintBanner,
});
const panel: Panel | null = seesCalls ? new Panel(config, link) : null;

for (const [state, word] of Object.entries(config.words.seat) as [SeatState, string][]) {
  const badge = stateBadge();
  paintState(badge, state, word);
  byId("legend").append(badge);
}
setInterval(tick, 1000);
followMode();
