// Owns the agent's page: what it shows of the seat and the call, and what its buttons and keys ask for.

import { paintCall } from "./call.js";
import { Directory } from "./directory.js";
import { byId, el, paintState, setText, stateBadge } from "./dom.js";
import { onKeys } from "./keys.js";
import { Missed } from "./missed.js";
import { PushLink } from "./push.js";
import { paintQueue, together } from "./queue.js";
import { dayAndMinute, since } from "./time.js";

const TOAST_MS = 6000;
// Times run on without a push.
const PAINT_MS = 500;
const IN_CALL = new Set(["ringing", "dialling", "talking", "held", "consulting", "conference"]);

// Of each pair the second is there only when it is possible, and then in the first one's place.
const PAIRS = [["do-hold", "do-retrieve"], ["do-mute", "do-unmute"], ["do-pause", "do-resume"], ["do-raise", "do-lower"]];

const config = JSON.parse(byId("desk").dataset.config);
const title = document.title;
const badge = byId("seat-state").appendChild(stateBadge());
let mustSignIn = new URLSearchParams(location.search).has("sign_in");
let lastCall = null;
let toastTimer = 0;

const mySeat = () => link.seen.seats.get(config.seat) ?? { id: config.seat, state: "signed_out", since_us: 0 };
const isMine = (seat) => seat.agent === config.person;
const allowed = (seat) => (link.isUp && isMine(seat) ? (seat.actions ?? []) : []);

function toast(message) {
  clearTimeout(toastTimer);
  const node = byId("toast");
  node.hidden = false;
  setText(node, message);
  toastTimer = setTimeout(() => (node.hidden = true), TOAST_MS);
}

async function ask(op, args) {
  try {
    await link.ask(op, args);
    announceLater(op, args);
  } catch (refusal) {
    toast(refusal.message);
  }
}

// During a call a change of state is kept for its end; say so, for nothing else changes on the page.
function announceLater(op, args) {
  if (!IN_CALL.has(mySeat().state) || config.rest_reasons.includes(args?.reason)) return;
  const words = { "seat.ready": "通话后示闲", "seat.not_ready": `通话后示忙（${args?.reason}）`, "seat.wrap_up": "通话后整理" };
  if (op in words) setText(byId("seat-next"), words[op]);
}

function currentCall(seat) {
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

function paint() {
  const seat = mySeat();
  paintBar(seat);
  paintBanner(seat);
  paintCall(currentCall(seat), seat, { config, isUp: link.isUp, ask });
  const can = allowed(seat);
  for (const button of document.querySelectorAll("[data-op]")) button.disabled = !can.includes(button.dataset.op);
  // Of a pair only what is possible now is there; the others stand still, so that hands find them.
  for (const button of document.querySelectorAll("[data-only-if-allowed]")) button.hidden = button.disabled;
  for (const [id, other] of PAIRS) byId(id).hidden = !byId(other).hidden;
  byId("keypad").hidden = !can.includes("call.keys");
  directory.allow(can);
  missed.allow(can);
  document.title = seat.state === "ringing" ? `来电 · ${title}` : title;
  paintTimes(seat);
}

function paintBar(seat) {
  const isFree = seat.state === "signed_out";
  byId("do-sign-in").hidden = !isFree;
  byId("do-sign-in").disabled = !link.isUp;
  for (const id of ["do-ready", "do-not-ready", "do-wrap-up", "do-sign-out"]) byId(id).hidden = isFree;
  byId("change-seat").hidden = !isFree && isMine(seat);
  if (!IN_CALL.has(seat.state)) setText(byId("seat-next"), "");
  setText(byId("rest-asked"), seat.rest_us ? `已申请${seat.rest_reason}，等待批准 ${since(seat.rest_us)}` : "");
}

function paintBanner(seat) {
  const banner = byId("banner");
  let message = "";
  if (!link.hasBeenUp) message = "正在连接…";
  else if (!link.isUp) message = "与服务器的连接中断，正在重连…话机仍可使用";
  else if (!link.seen.linked) message = "与交换机的连接中断，页面暂不能操作；话机仍可使用";
  else if (seat.agent && !isMine(seat)) message = `本座席已由工号 ${seat.agent} 签入，请换座席`;
  else if (seat.state === "phone_down") message = "话机未注册，请检查话机和网线";
  banner.hidden = message === "";
  banner.classList.toggle("is-quiet", link.isUp);
  setText(banner, message);
  document.body.classList.toggle("is-lost", !link.isUp);
}

function paintTimes(seat) {
  const word = seat.reason || config.words.seat[seat.state];
  paintState(badge, seat.state, seat.state === "signed_out" ? word : `${word} ${since(seat.since_us)}`);
  paintQueue(together(link.seen.queues));
  for (const node of document.querySelectorAll("[data-since]")) setText(node, since(Number(node.dataset.since)));
}

function onPush(push) {
  if (push.type === "snapshot" && mustSignIn) {
    mustSignIn = false;
    history.replaceState(null, "", "/agent");
    if (!isMine(mySeat())) ask("seat.sign_in");
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
function showMessage({ by, text, at_us: atUs }) {
  const messages = byId("messages");
  messages.prepend(el("p", {}, el("span", { class: "small muted" }, `${dayAndMinute(atUs)} ${by}`), el("br"), text));
  byId("messages-open").hidden = false;
  setText(byId("message-count"), String(messages.childElementCount));
  toast(`${by}：${text}`);
}

function openMessages(isOpen) {
  byId("messages").hidden = !isOpen;
  byId("messages-open").setAttribute("aria-expanded", String(isOpen));
}

function openReasons(isOpen) {
  byId("reasons").hidden = !isOpen;
  byId("do-not-ready").setAttribute("aria-expanded", String(isOpen));
}

function chooseReason(reason) {
  openReasons(false);
  ask("seat.not_ready", { reason });
}

function press(id) {
  const button = byId(id);
  if (!button.disabled && !button.hidden) button.click();
}

const directory = new Directory(config, ask, toast);
const missed = new Missed(config, ask);
const link = new PushLink(config, { onPush, onLink: () => paint() });

byId("do-sign-in").addEventListener("click", () => ask("seat.sign_in"));
byId("do-not-ready").addEventListener("click", () => openReasons(byId("reasons").hidden));
byId("messages-open").addEventListener("click", () => openMessages(byId("messages").hidden));
byId("do-three-way").addEventListener("click", () => directory.focus());
for (const id of ["do-ready", "do-wrap-up", "do-sign-out", "do-leave", "do-hang-up", "do-hold", "do-retrieve", "do-merge", "do-complete", "do-requeue", "do-rate", "do-mute", "do-unmute", "do-pause", "do-resume", "do-raise", "do-lower", "do-withdraw-rest"]) {
  byId(id).addEventListener("click", () => ask(byId(id).dataset.op));
}
// Each key goes out as it is typed, and stays in sight.
byId("keys").addEventListener("beforeinput", (event) => {
  if (!/^[0-9*#]+$/.test(event.data ?? "")) return event.inputType.startsWith("insert") && event.preventDefault();
  return ask("call.keys", { digits: event.data });
});
for (const item of document.querySelectorAll("[data-reason]")) {
  item.addEventListener("click", () => chooseReason(item.dataset.reason));
}
for (const button of document.querySelectorAll("[data-number]")) {
  button.addEventListener("click", () => ask("emergency.call", { number: button.dataset.number }));
}
document.addEventListener("click", (event) => {
  if (event.target.closest(".menu")) return;
  openReasons(false);
  openMessages(false);
});
byId("logout").addEventListener("submit", async (event) => {
  // A seat that stays signed in without its agent would ring for nobody.
  if (!allowed(mySeat()).includes("seat.sign_out")) return;
  event.preventDefault();
  await ask("seat.sign_out");
  event.target.submit();
});

onKeys({
  F2: () => press(mySeat().state === "signed_out" ? "do-sign-in" : "do-ready"),
  F3: () => press("do-not-ready"),
  F4: () => press("do-wrap-up"),
  F6: () => press(byId("do-retrieve").hidden ? "do-hold" : "do-retrieve"),
  F7: () => press("do-leave"),
  F8: () => {
    byId("tab-units").click();
    directory.focus();
  },
  F10: () => press("do-hang-up"),
  "Shift+F4": () => press(byId("do-lower").hidden ? "do-raise" : "do-lower"),
  "Shift+F6": () => press(byId("do-unmute").hidden ? "do-mute" : "do-unmute"),
  "Shift+F7": () => press(byId("do-resume").hidden ? "do-pause" : "do-resume"),
  reason: (n) => !byId("reasons").hidden && config.reasons[n - 1] && (chooseReason(config.reasons[n - 1]), true),
  escape: () => (openReasons(false), openMessages(false)),
});

setInterval(paint, PAINT_MS);
paint();
