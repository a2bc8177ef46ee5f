// Owns the page's one connection to the push server: token, resume, retries with growing pauses, requests and answers.

import type { Commands, Push } from "./api.js";
import type { Config } from "./config.js";
import { Seen } from "./seen.js";
import { learnTime } from "./time.js";

const FIRST_PAUSE_MS = 300;
const LONGEST_PAUSE_MS = 8000;
const ANSWER_MS = 5000;

export class Refused extends Error {
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

// Random words for idempotency; `crypto.randomUUID` is missing on plain http away from this machine.
function freshKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

interface Waiting {
  readonly resolve: (ok: unknown) => void;
  readonly reject: (refusal: Refused) => void;
  readonly timer: number;
}

// What comes over the wire: the answer to the hello, a numbered push, or an answer to what was asked.
interface Received {
  readonly session?: string;
  readonly resumed?: boolean;
  readonly seq?: number;
  readonly push?: Push;
  readonly re?: number;
  readonly ok?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

interface Listener {
  readonly onPush: (push: Push) => void;
  readonly onLink: (isUp: boolean) => void;
}

export class PushLink {
  // `onPush(push)` after each push is folded into `seen`; `onLink(isUp)` when the connection comes or goes.
  readonly seen = new Seen();
  isUp = false;
  hasBeenUp = false;
  private readonly asked = new Map<number, Waiting>();
  private nextId = 1;
  private pauseMs = FIRST_PAUSE_MS;
  private session = "";
  private lastSeq = 0;
  private socket: WebSocket | null = null;

  constructor(private readonly config: Pick<Config, "push_url" | "form_word" | "again">, private readonly listener: Listener) {
    void this.connect();
  }

  private async connect(): Promise<void> {
    let token: string;
    try {
      token = await this.fetchToken();
    } catch {
      this.retry();
      return;
    }
    const socket = new WebSocket(this.address());
    this.socket = socket;
    socket.addEventListener("open", () => socket.send(JSON.stringify({ token })));
    socket.addEventListener("message", (event) => this.receive(JSON.parse(event.data)));
    socket.addEventListener("close", () => this.socket === socket && this.lose());
  }

  private address(): string {
    const url = new URL(this.config.push_url);
    if (this.session) {
      url.searchParams.set("session", this.session);
      url.searchParams.set("last_seq", String(this.lastSeq));
    }
    return url.href;
  }

  private async fetchToken(): Promise<string> {
    const askedMs = performance.now();
    const answer = await fetch("/api/token", {
      method: "POST",
      headers: { "X-Form-Word": this.config.form_word },
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    // The log-in has ended (here, by an administrator, or with the desk's restart): only a new one helps.
    if (answer.status === 401 || answer.status === 403) location.assign(this.config.again);
    if (!answer.ok) throw new Error(`token: ${answer.status}`);
    const { token, now_us: nowUs } = await answer.json();
    learnTime(nowUs, askedMs, performance.now());
    return token;
  }

  private receive(frame: Received): void {
    if (frame.re !== undefined) {
      this.settle(frame.re, frame);
      return;
    }
    if (frame.session !== undefined) {
      this.session = frame.session;
      // What was seen stays true: only what was missed follows. Otherwise a snapshot does.
      if (frame.resumed) this.rise();
      return;
    }
    if (frame.push === undefined) return;
    this.lastSeq = frame.seq ?? this.lastSeq;
    this.seen.apply(frame.push);
    if (!this.isUp) this.rise();
    this.listener.onPush(frame.push);
  }

  private rise(): void {
    this.isUp = true;
    this.hasBeenUp = true;
    this.pauseMs = FIRST_PAUSE_MS;
    this.listener.onLink(true);
  }

  private settle(re: number, { ok, error }: Received): void {
    const waiting = this.asked.get(re);
    if (waiting === undefined) return;
    this.asked.delete(re);
    clearTimeout(waiting.timer);
    if (error) waiting.reject(new Refused(error.code, error.message));
    else waiting.resolve(ok);
  }

  // Ask for something; resolves when the server has accepted, rejects with Refused. That it took effect, a push will say.
  ask<O extends keyof Commands>(op: O, args: Commands[O]): Promise<unknown> {
    const socket = this.socket;
    if (!this.isUp || socket === null) return Promise.reject(new Refused("lost", "连接中断，请稍候；话机仍可使用"));
    const id = this.nextId++;
    socket.send(JSON.stringify({ id, op, args, key: freshKey() }));
    return new Promise((resolve, reject) => {
      // A server that does not answer is a dead connection that nobody has noticed yet.
      const timer = window.setTimeout(() => socket.close(), ANSWER_MS);
      this.asked.set(id, { resolve, reject, timer });
    });
  }

  private lose(): void {
    for (const { reject, timer } of this.asked.values()) {
      clearTimeout(timer);
      reject(new Refused("lost", "连接中断，操作结果未知，请看当前状态"));
    }
    this.asked.clear();
    this.isUp = false;
    this.listener.onLink(false);
    this.retry();
  }

  private retry(): void {
    setTimeout(() => void this.connect(), this.pauseMs * (0.5 + Math.random() / 2));
    this.pauseMs = Math.min(this.pauseMs * 2, LONGEST_PAUSE_MS);
  }
}
