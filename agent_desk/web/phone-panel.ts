// Owns what the agent's page shows of its phone (网页话机): how it stands, devices, level, echo test, and the button that answers.

import type { Seat, SeatState } from "./api.js";
import { Devices } from "./devices.js";
import { buttonById, byId, el, paintState, selectById, setText, stateBadge } from "./dom.js";
import { Phone, type PhoneState, type Quality } from "./phone.js";

const LEVEL_MS = 100;
const OVER_MS = 3000;
const BUSY: ReadonlySet<SeatState> = new Set(["ringing", "dialling", "talking", "held", "consulting", "conference", "phone_down"]);
// ITU-T G.107 and G.114 have people complain from about here on.
const BAD_LOSS_PERCENT = 3;
const BAD_JITTER_MS = 40;
const BAD_ROUND_TRIP_MS = 300;

const WORDS: Readonly<Record<PhoneState, string>> = {
  off: "未启用",
  elsewhere: "在另一窗口",
  connecting: "连接中",
  ready: "就绪",
  ringing: "振铃",
  talking: "通话",
  testing: "回声测试",
  no_microphone: "无麦克风",
};
const SHAPES = { off: "signed_out", elsewhere: "not_ready", connecting: "ringing", ready: "ready", ringing: "ringing", talking: "talking", testing: "talking", no_microphone: "phone_down" } as const;

export class PhonePanel {
  private readonly devices = new Devices();
  private readonly phone: Phone;
  private readonly badge = byId("phone-state").appendChild(stateBadge());
  private seat: Seat | null = null;
  private timer = 0;
  private overSince = Infinity;

  // As in `Phone`.
  constructor(seat: string, admit: (secret: string) => Promise<boolean>, isInCall: () => boolean, takeUp: () => Promise<boolean>, onChange: () => void) {
    this.phone = new Phone(seat, this.devices, admit, isInCall, takeUp, onChange);
    byId("phone-open").addEventListener("click", () => this.open(Boolean(byId("phone-box").hidden)));
    byId("phone-test").addEventListener("click", () => this.phone.testEcho());
    byId("do-answer").addEventListener("click", () => this.answer());
    selectById("phone-microphone").addEventListener("change", ({ target }) => void this.devices.choose({ microphone: (target as HTMLSelectElement).value }));
    selectById("phone-speaker").addEventListener("change", ({ target }) => void this.devices.choose({ speaker: (target as HTMLSelectElement).value }));
  }

  // `isMine`: this agent is signed in here, as far as is known; else nothing is begun and nothing ended.
  paint(seat: Seat, isMine: boolean): void {
    this.seat = seat;
    if (isMine) this.phone.start();
    else if (seat.state === "signed_out" && this.phone.state !== "off") this.phone.stop();
    const isOver = isMine && !BUSY.has(seat.state) && this.phone.state === "talking";
    if (!isOver) this.overSince = Infinity;
    else this.overSince = Math.min(this.overSince, performance.now());
    if (performance.now() - this.overSince > OVER_MS) this.phone.leaveBehind();
    // The agent has asked for this call, and waits for nothing but it.
    if (seat.state === "dialling") this.phone.answer();
    const { state, quality } = this.phone;
    paintState(this.badge, SHAPES[state], WORDS[state]);
    byId("do-answer").hidden = state !== "ringing";
    setText(byId("phone-quality"), quality ? words(quality) : "");
    byId("phone-quality").classList.toggle("is-bad", quality !== null && isBad(quality));
    buttonById("phone-test").disabled = state !== "ready" && state !== "testing";
    setText(byId("phone-test"), state === "testing" ? "结束回声测试" : "回声测试");
  }

  // Whether there was something to answer.
  answer(): boolean {
    const isRinging = this.phone.state === "ringing";
    this.phone.answer();
    return isRinging;
  }

  // What keeps the phone from being used, "" for nothing.
  trouble(): string {
    if (this.phone.state === "no_microphone") return "没有可用的麦克风：请插好耳机并允许本页使用麦克风，再点“话机”重试";
    if (this.phone.state === "elsewhere") return "网页话机在本座席的另一窗口中，请在那里接听，或关闭它";
    return this.seat?.state === "phone_down" ? "网页话机正在连接…" : "";
  }

  open(isOpen: boolean): void {
    byId("phone-box").hidden = !isOpen;
    byId("phone-open").setAttribute("aria-expanded", String(isOpen));
    clearInterval(this.timer);
    if (!isOpen) return;
    void this.listDevices();
    this.timer = window.setInterval(() => ((byId("phone-level") as HTMLMeterElement).value = this.devices.level()), LEVEL_MS);
  }

  private async listDevices(): Promise<void> {
    if (this.devices.stream === null && !(await this.devices.open())) return;
    const { microphone, speaker } = this.devices.chosen;
    for (const [id, kind, chosen] of [["phone-microphone", "audioinput", microphone], ["phone-speaker", "audiooutput", speaker]] as const) {
      const options = (await this.devices.list(kind)).map(({ deviceId, label }, n) => el("option", { value: deviceId }, label || `${n + 1}`));
      selectById(id).replaceChildren(el("option", { value: "" }, "系统默认"), ...options);
      selectById(id).value = chosen;
    }
  }
}

const isBad = ({ jitterMs, lossPercent, roundTripMs }: Quality): boolean =>
  lossPercent > BAD_LOSS_PERCENT || jitterMs > BAD_JITTER_MS || roundTripMs > BAD_ROUND_TRIP_MS;

function words(quality: Quality): string {
  const { jitterMs, lossPercent, roundTripMs } = quality;
  const known = [jitterMs < 0 ? "" : `抖动 ${jitterMs} ms`, lossPercent < 0 ? "" : `丢包 ${lossPercent}%`, roundTripMs < 0 ? "" : `往返 ${roundTripMs} ms`];
  return [isBad(quality) ? "网络不佳" : "网络良好", ...known.filter(Boolean)].join(" · ");
}
