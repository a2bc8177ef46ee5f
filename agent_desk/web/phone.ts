// Owns the phone in the page (网页话机): registration, ringing, answering, sound both ways, and how well the network carries it.

import { UA, WebSocketInterface } from "jssip";
import type { RTCSession } from "jssip/lib/RTCSession.d.ts";
import { Devices } from "./devices.js";
import { Ringer } from "./ringer.js";

const MEASURE_MS = 2000;
const REGISTER_S = 60;
const SOONEST_AGAIN_S = 1;
const LATEST_AGAIN_S = 8;
const READMIT_MS = 400;
const RESUME_MS = 2000;
const ECHO_TEST = "600";

export type PhoneState = "off" | "elsewhere" | "connecting" | "ready" | "ringing" | "talking" | "testing" | "no_microphone";

// Of the call's last two seconds; -1 for what is not known yet. Milliseconds, and per cent of packets.
export interface Quality {
  readonly jitterMs: number;
  readonly lossPercent: number;
  readonly roundTripMs: number;
}

interface Counted {
  readonly received: number;
  readonly lost: number;
}

// 128 random bits, as the contract's PhoneSecret wants them.
export const newSecret = (): string => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

export class Phone {
  state: PhoneState = "off";
  quality: Quality | null = null;
  private ua: UA | null = null;
  private session: RTCSession | null = null;
  private refusals = 0;
  private isResuming = false;
  private counted: Counted = { received: 0, lost: 0 };
  private readonly ringer = new Ringer();

  // `admit(secret)`: have the switch accept that secret for this seat. `isInCall()`: the seat talks. `takeUp()`: have the switch
  // ring this phone for the call that the seat is in, whose sound another page has had.
  constructor(
    private readonly seat: string,
    readonly devices: Devices,
    private readonly admit: (secret: string) => Promise<boolean>,
    private readonly isInCall: () => boolean,
    private readonly takeUp: () => Promise<boolean>,
    private readonly onChange: () => void,
  ) {
    setInterval(() => void this.measure(), MEASURE_MS);
    devices.onMicrophone = (track) => void this.sender()?.replaceTrack(track);
  }

  // One phone for a seat, whatever tabs are open: the next one takes over when this one closes.
  start(): void {
    if (this.state !== "off" && this.state !== "no_microphone") return;
    this.become("elsewhere");
    void navigator.locks.request(`phone-of-${this.seat}`, () => this.run());
  }

  stop(): void {
    this.ua?.stop();
    this.ua = null;
    this.become("off");
  }

  answer(): void {
    const stream = this.devices.stream;
    if (this.state !== "ringing" || this.session === null || stream === null) return;
    this.session.answer({ mediaStream: stream, pcConfig: { iceServers: [] } });
  }

  // The seat has no call, as the server says: a sound that is still open has lost its end on the way.
  leaveBehind(): void {
    if (this.state === "talking") this.session?.terminate();
  }

  // Says back what one says, over the whole way to the switch; a second time ends it.
  testEcho(): void {
    if (this.state === "testing") this.session?.terminate();
    else if (this.state === "ready" && this.devices.stream !== null) this.ua?.call(`sip:${ECHO_TEST}@hotline`, { mediaStream: this.devices.stream, pcConfig: { iceServers: [] } });
  }

  // Resolves only when the phone is stopped: as long as that, the lock is ours.
  private async run(): Promise<void> {
    if (!(await this.devices.open())) {
      this.become("no_microphone");
      return;
    }
    this.become("connecting");
    const secret = newSecret();
    if (!(await this.admit(secret))) {
      this.become("off");
      return;
    }
    const address = new URL("/sip", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const ua = new UA({
      sockets: [new WebSocketInterface(address.href)],
      uri: `sip:${this.seat}@hotline`,
      password: secret,
      register_expires: REGISTER_S,
      session_timers: false,
      connection_recovery_min_interval: SOONEST_AGAIN_S,
      connection_recovery_max_interval: LATEST_AGAIN_S,
      user_agent: "12345",
    });
    this.ua = ua;
    let isNew = true;
    await new Promise<void>((resolve) => {
      ua.on("registered", () => {
        this.refusals = 0;
        this.rest();
        this.tellWay(ua);
        if (isNew) void this.resume(ua);
        isNew = false;
      });
      ua.on("unregistered", () => this.rest());
      ua.on("disconnected", () => (this.ua === ua ? this.rest() : resolve()));
      ua.on("registrationFailed", ({ response }: { response?: unknown }) => {
        // Refused, and not just out of reach: that, the user agent tries again by itself.
        if (response) setTimeout(() => void this.readmit(ua), READMIT_MS * ++this.refusals);
      });
      ua.on("newRTCSession", (event: { session: RTCSession; originator: string }) => this.take(event.session, event.originator));
      ua.start();
    });
  }

  // The switch has not written the secret yet; or it is another's by now, or lost, and a new one is asked for.
  private async readmit(ua: UA): Promise<void> {
    if (this.ua !== ua) return;
    if (this.refusals > 1) {
      const secret = newSecret();
      if (!(await this.admit(secret)) || this.ua !== ua) return;
      ua.set("password", secret);
    }
    ua.register();
  }

  // The page was loaded anew in a call: it goes on here. Asked for until the switch can.
  private async resume(ua: UA): Promise<void> {
    while (this.ua === ua && this.session === null && this.isInCall()) {
      this.isResuming = true; // the ring may be quicker than the answer
      if (await this.takeUp()) return;
      this.isResuming = false;
      await new Promise((resolve) => setTimeout(resolve, RESUME_MS));
    }
  }

  // The way to the switch is another one now: a call that goes on has to be told of it, or its end would never come here.
  private tellWay(ua: UA): void {
    if (!this.session?.isEstablished()) return;
    const inside = this.session as unknown as { sendRequest(method: string, options: object): void };
    inside.sendRequest("UPDATE", { extraHeaders: [`Contact: ${ua.contact.toString()}`] });
  }

  private take(session: RTCSession, originator: string): void {
    if (this.session !== null && !this.session.isEnded()) {
      session.terminate({ status_code: 486 });
      return;
    }
    this.session = session;
    session.on("peerconnection", ({ peerconnection }: { peerconnection: RTCPeerConnection }) => this.listen(peerconnection));
    session.on("confirmed", () => this.rest());
    for (const end of ["ended", "failed"] as const) session.on(end, () => this.end(session));
    if (originator === "local") this.listen(session.connection);
    this.rest();
  }

  private listen(connection: RTCPeerConnection): void {
    this.counted = { received: 0, lost: 0 };
    connection.addEventListener("track", ({ streams }) => this.devices.play(streams[0] ?? null));
  }

  private end(session: RTCSession): void {
    if (this.session !== session) return;
    this.session = null;
    this.quality = null;
    this.devices.play(null);
    this.rest();
  }

  // What is so now, from what the user agent says.
  private rest(): void {
    const { ua } = this;
    if (ua === null) return;
    const { session } = this;
    if (session !== null) {
      const isOwn = session.direction === "outgoing";
      this.become(session.isEstablished() ? (isOwn ? "testing" : "talking") : isOwn ? "testing" : "ringing");
    } else this.become(ua.isRegistered() ? "ready" : "connecting");
    if (this.isResuming && this.state === "ringing") {
      this.isResuming = false;
      this.answer();
    }
  }

  private become(state: PhoneState): void {
    if (state === this.state) return;
    this.state = state;
    this.ringer.ring(state === "ringing");
    this.onChange();
  }

  private sender(): RTCRtpSender | undefined {
    return this.session?.connection?.getSenders().find(({ track }) => track?.kind === "audio");
  }

  private async measure(): Promise<void> {
    const connection = this.session?.connection;
    if (!connection || !this.session?.isEstablished()) return;
    let [jitterMs, lossPercent, roundTripMs] = [-1, -1, -1];
    for (const report of (await connection.getStats()).values()) {
      if (report.type === "inbound-rtp") {
        const [received, lost] = [report.packetsReceived - this.counted.received, report.packetsLost - this.counted.lost];
        this.counted = { received: report.packetsReceived, lost: report.packetsLost };
        jitterMs = Math.round(1000 * report.jitter);
        lossPercent = received + lost > 0 ? Math.max(0, Math.round((1000 * lost) / (received + lost)) / 10) : 100;
      }
      if (report.type === "candidate-pair" && report.nominated && report.currentRoundTripTime !== undefined) {
        roundTripMs = Math.round(1000 * report.currentRoundTripTime);
      }
    }
    this.quality = { jitterMs, lossPercent, roundTripMs };
    this.onChange();
  }
}
