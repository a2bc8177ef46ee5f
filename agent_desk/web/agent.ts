// Owns the agent's page: what it shows of the seat and the call, and what its buttons and keys ask for.

import type { Action, Commands, Message, Push, Seat, SeatState } from "./api.js";
import type { Op, PlainOp } from "./ask.js";
import { type Call, paintCall } from "./call.js";
import { CaseForm } from "./case-form.js";
import { readConfig } from "./config.js";
import { Directory } from "./directory.js";
import { all, buttonById, buttons, byId, el, inputById, paintState, setText, stateBadge } from "./dom.js";
import { KeyHelp } from "./key-help.js";
import { onKeys } from "./keys.js";
import { Knowledge } from "./knowledge.js";
import { Missed } from "./missed.js";
import { PhonePanel } from "./phone-panel.js";
import { PushLink } from "./push.js";
import { paintQueue, together } from "./queue.js";
import { followTabs } from "./tabs.js";
import { dayAndMinute, since } from "./time.js";
import { Visits } from "./visits.js";
import { Workday } from "./workday.js";

const TOAST_MS = 6000;
// Times run on without a push.
const PAINT_MS = 500;
const TALKING: ReadonlySet<SeatState> = new Set(["talking", "held", "consulting", "conference"]);
const IN_CALL: ReadonlySet<SeatState> = new Set(["ringing", "dialling", ...TALKING]);

// Of each pair the second is there only when it is possible, and then in the first one's place.
const PAIRS = [["do-hold", "do-retrieve"], ["do-mute", "do-unmute"], ["do-pause", "do-resume"], ["do-raise", "do-lower"]] as const;

const config = readConfig();
const title = document.title;
const badge = byId("seat-state").appendChild(stateBadge());
let mustSignIn = new URLSearchParams(location.search).has("sign_in");
let lastCall: Omit<Call, "isPast"> | null = null;
let toastTimer = 0;

const mySeat = (): Seat => link.seen.seats.get(config.seat) ?? { id: config.seat, state: "signed_out", since_us: 0 };
const isMine = (seat: Seat): boolean => seat.agent === config.person;
const allowed = (seat: Seat): readonly Action[] => (link.isUp && isMine(seat) ? (seat.actions ?? []) : []);

function toast(message: string): void {
  clearTimeout(toastTimer);
  const node = byId("toast");
  node.hidden = false;
  setText(node, message);
  toastTimer = window.setTimeout(() => (node.hidden = true), TOAST_MS);
}

// Whether it was accepted; what was refused has been said.
async function ask<O extends Op>(op: O, args: Commands[O]): Promise<boolean> {
  try {
    await link.ask(op, args);
    announceLater(op, "reason" in args ? String(args.reason) : "");
  } catch (refusal) {
    toast((refusal as Error).message);
    return false;
  }
  return true;
}

// During a call a change of state is kept for its end; say so, for nothing else changes on the page.
function announceLater(op: Op, reason: string): void {
  if (!IN_CALL.has(mySeat().state) || config.rest_reasons.includes(reason)) return;
  const words: Partial<Record<Op, string>> = { "seat.ready": "通话后示闲", "seat.not_ready": `通话后示忙（${reason}）`, "seat.wrap_up": "通话后整理" };
  const word = words[op];
  if (word !== undefined) setText(byId("seat-next"), word);
}

function currentCall(seat: Seat): Call | null {
  const id = seat.conversation ?? "";
  const conversation = link.seen.conversations.get(id);
  const context = link.seen.contexts.get(id);
  if (conversation || context) {
    lastCall = { id, conversation, context };
    return { ...lastCall, isPast: false };
  }
  // Notes are written after the call: what was known stays in sight while they are.
  const isEnding = IN_CALL.has(seat.state) && (id === "" || id === lastCall?.id);
  const isAsked = seat.state === "wrap_up" || isEnding;
  return isAsked && lastCall ? { ...lastCall, isPast: true } : null;
}

function paint(): void {
  const seat = mySeat();
  paintBar(seat);
  paintBanner(seat);
  const call = currentCall(seat);
  paintCall(call, seat, { config, isUp: link.isUp, ask });
  // A page loaded anew in the wrap-up no longer knows the call, but the form still has its draft.
  if (link.hasBeenUp && (call || seat.state !== "wrap_up")) caseForm.follow(call);
  const can = allowed(seat);
  for (const button of buttons(document, "[data-op]")) button.disabled = !can.includes(button.dataset.op as Action);
  // Of a pair only what is possible now is there; the others stand still, so that hands find them.
  for (const button of buttons(document, "[data-only-if-allowed]")) button.hidden = button.disabled;
  for (const [id, other] of PAIRS) byId(id).hidden = !byId(other).hidden;
  byId("keypad").hidden = !can.includes("call.keys");
  directory.allow(can);
  missed.allow(can);
  visits.allow(can);
  phone?.paint(seat, link.isUp && link.seen.linked && isMine(seat));
  workday.follow(seat.state);
  document.title = seat.state === "ringing" ? `来电 · ${title}` : title;
  paintTimes(seat);
}

function paintBar(seat: Seat): void {
  const isFree = seat.state === "signed_out";
  byId("do-sign-in").hidden = !isFree;
  buttonById("do-sign-in").disabled = !link.isUp;
  for (const id of ["do-ready", "do-not-ready", "do-wrap-up", "do-sign-out"]) byId(id).hidden = isFree;
  byId("change-seat").hidden = !isFree && isMine(seat);
  if (!IN_CALL.has(seat.state)) setText(byId("seat-next"), "");
  setText(byId("rest-asked"), seat.rest_us ? `已申请${seat.rest_reason}，等待批准 ${since(seat.rest_us)}` : "");
}

function paintBanner(seat: Seat): void {
  const banner = byId("banner");
  let message = "";
  if (!link.hasBeenUp) message = "正在连接…";
  else if (!link.isUp) message = "与服务器的连接中断，正在重连…话机仍可使用";
  else if (!link.seen.linked) message = "与交换机的连接中断，页面暂不能操作；话机仍可使用";
  else if (seat.agent && !isMine(seat)) message = `本座席已由工号 ${seat.agent} 签入，请换座席`;
  else if (phone !== null) message = isMine(seat) ? phone.trouble() : "";
  else if (seat.state === "phone_down") message = "话机未注册，请检查话机和网线";
  banner.hidden = message === "";
  banner.classList.toggle("is-quiet", link.isUp);
  setText(banner, message);
  document.body.classList.toggle("is-lost", !link.isUp);
}

function paintTimes(seat: Seat): void {
  const word = seat.reason || config.words.seat[seat.state];
  paintState(badge, seat.state, seat.state === "signed_out" ? word : `${word} ${since(seat.since_us)}`);
  paintQueue(together(link.seen.queues));
  for (const node of all(document, "[data-since]")) setText(node, since(Number(node.dataset.since)));
}

function onPush(push: Push): void {
  if (push.type === "snapshot" && mustSignIn) {
    mustSignIn = false;
    history.replaceState(null, "", "/agent");
    if (!isMine(mySeat())) void ask("seat.sign_in", {});
  }
  if (push.type === "notice" && push.seat === config.seat) toast(push.message);
  if (push.type === "message") showMessage(push);
  if (push.type === "pop" && push.seat === config.seat) {
    const { masked, place } = push.context;
    setText(byId("say"), `来电，${masked}${place ? `，${place}` : ""}`);
  }
  paint();
}

// What supervisors wrote since the page was opened, newest first.
function showMessage({ by, text, at_us: atUs }: Message): void {
  const messages = byId("messages");
  messages.prepend(el("p", {}, el("span", { class: "small muted" }, `${dayAndMinute(atUs)} ${by}`), el("br"), text));
  byId("messages-open").hidden = false;
  setText(byId("message-count"), String(messages.childElementCount));
  toast(`${by}：${text}`);
}

function openMessages(isOpen: boolean): void {
  byId("messages").hidden = !isOpen;
  byId("messages-open").setAttribute("aria-expanded", String(isOpen));
}

function openReasons(isOpen: boolean): void {
  byId("reasons").hidden = !isOpen;
  byId("do-not-ready").setAttribute("aria-expanded", String(isOpen));
}

function chooseReason(reason: string): void {
  openReasons(false);
  void ask("seat.not_ready", { reason });
}

function press(id: string): void {
  const button = buttonById(id);
  if (!button.disabled && !button.hidden) button.click();
}

// Whether words of a citizen stand unfiled; then nobody leaves, and it is said.
function isHeldByDrafts(): boolean {
  const unfiled = caseForm.unfiled();
  if (unfiled) toast(`还有 ${unfiled} 件登记没有提交，请先提交或放弃`);
  return unfiled > 0;
}

async function signOut(): Promise<void> {
  if (!isHeldByDrafts() && (await ask("seat.sign_out", {}))) caseForm.forget();
}

const keyHelp = new KeyHelp();
const caseForm = new CaseForm(config, () => void missed.load());
const workday = new Workday();
const directory = new Directory(config, (op, named) => void ask(op, named as Commands[typeof op]), toast);
const knowledge = new Knowledge(config.form_word);
const missed = new Missed(config, { call: (args) => void ask("call.dial", args), take: (contact) => caseForm.open(contact), tell: toast });
const visits = new Visits(config, (args) => ask("call.dial", args), toast);
followTabs(byId("help-tabs"), { "tab-missed": () => void missed.load(), "tab-visits": () => void visits.load() });
const link = new PushLink(config, { onPush, onLink: () => paint() });
const phone = config.has_phone
  ? new PhonePanel(config.seat, (secret) => ask("seat.phone", { secret }), () => TALKING.has(mySeat().state), () => ask("call.take_up", {}), paint)
  : null;

byId("do-sign-out").addEventListener("click", () => void signOut());
byId("do-sign-in").addEventListener("click", () => void ask("seat.sign_in", {}));
byId("do-not-ready").addEventListener("click", () => openReasons(Boolean(byId("reasons").hidden)));
byId("messages-open").addEventListener("click", () => openMessages(Boolean(byId("messages").hidden)));
byId("do-three-way").addEventListener("click", () => directory.focus());
for (const id of ["do-ready", "do-wrap-up", "do-leave", "do-hang-up", "do-hold", "do-retrieve", "do-merge", "do-complete", "do-requeue", "do-rate", "do-mute", "do-unmute", "do-pause", "do-resume", "do-raise", "do-lower", "do-withdraw-rest"]) {
  byId(id).addEventListener("click", () => void ask(byId(id).dataset.op as PlainOp, {}));
}
// Each key goes out as it is typed, and stays in sight.
inputById("keys").addEventListener("beforeinput", (event) => {
  const digits = event.data ?? "";
  if (/^[0-9*#]+$/.test(digits)) void ask("call.keys", { digits });
  else if (event.inputType.startsWith("insert")) event.preventDefault();
});
for (const item of all(document, "[data-reason]")) {
  item.addEventListener("click", () => chooseReason(item.dataset.reason ?? ""));
}
for (const button of buttons(document, "[data-number]")) {
  button.addEventListener("click", () => void ask("emergency.call", { number: button.dataset.number ?? "" }));
}
document.addEventListener("click", (event) => {
  if ((event.target as Element).closest(".menu")) return;
  openReasons(false);
  openMessages(false);
  phone?.open(false);
});
byId("logout").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (isHeldByDrafts()) return;
  // A seat that stays signed in without its agent would ring for nobody.
  if (allowed(mySeat()).includes("seat.sign_out")) await ask("seat.sign_out", {});
  caseForm.forget();
  (byId("logout") as HTMLFormElement).submit();
});

onKeys({
  deeds: {
    case: () => caseForm.focus(),
    ready: () => !phone?.answer() && press(mySeat().state === "signed_out" ? "do-sign-in" : "do-ready"),
    not_ready: () => press("do-not-ready"),
    wrap_up: () => press("do-wrap-up"),
    hand: () => press(byId("do-lower").hidden ? "do-raise" : "do-lower"),
    hold: () => press(byId("do-retrieve").hidden ? "do-hold" : "do-retrieve"),
    mute: () => press(byId("do-unmute").hidden ? "do-mute" : "do-unmute"),
    leave: () => press("do-leave"),
    recording: () => press(byId("do-resume").hidden ? "do-pause" : "do-resume"),
    three_way: () => {
      byId("tab-units").click();
      directory.focus();
    },
    knowledge: () => {
      byId("tab-knowledge").click();
      knowledge.focus();
    },
    hang_up: () => press("do-hang-up"),
  },
  help: () => keyHelp.open(),
  reason: (n) => {
    const reason = config.reasons[n - 1];
    if (byId("reasons").hidden || reason === undefined) return false;
    chooseReason(reason);
    return true;
  },
  escape: () => {
    openReasons(false);
    openMessages(false);
    phone?.open(false);
  },
});

setInterval(paint, PAINT_MS);
paint();
