// Owns the page's one connection to the push server: token, resume, retries with growing pauses, requests and answers.

import { Seen } from "./seen.js";
import { learnTime } from "./time.js";

const FIRST_PAUSE_MS = 300;
const LONGEST_PAUSE_MS = 8000;
const ANSWER_MS = 5000;

export class Refused extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

// Random words for idempotency; `crypto.randomUUID` is missing on plain http away from this machine.
function freshKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

export class PushLink {
  // `onPush(push)` after each push is folded into `seen`; `onLink(isUp)` when the connection comes or goes.
  constructor(config, { onPush, onLink }) {
    this.seen = new Seen();
    this.isUp = false;
    this.hasBeenUp = false;
    this.config = config;
    this.onPush = onPush;
    this.onLink = onLink;
    this.asked = new Map();
    this.nextId = 1;
    this.pauseMs = FIRST_PAUSE_MS;
    this.session = "";
    this.lastSeq = 0;
    this.connect();
  }

  async connect() {
    let token;
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

  address() {
    const url = new URL(this.config.push_url);
    if (this.session) {
      url.searchParams.set("session", this.session);
      url.searchParams.set("last_seq", String(this.lastSeq));
    }
    return url.href;
  }

  async fetchToken() {
    const askedMs = performance.now();
    const answer = await fetch("/api/token", {
      method: "POST",
      headers: { "X-Form-Word": this.config.form_word },
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    // The log-in has ended (here, by an administrator, or with the desk's restart): only a new one helps.
    if (answer.status === 401 || answer.status === 403) location.assign("/login");
    if (!answer.ok) throw new Error(`token: ${answer.status}`);
    const { token, now_us: nowUs } = await answer.json();
    learnTime(nowUs, askedMs, performance.now());
    return token;
  }

  receive(frame) {
    if (frame.re !== undefined) {
      this.settle(frame);
      return;
    }
    if (frame.session !== undefined) {
      this.session = frame.session;
      // What was seen stays true: only what was missed follows. Otherwise a snapshot does.
      if (frame.resumed) this.rise();
      return;
    }
    this.lastSeq = frame.seq;
    this.seen.apply(frame.push);
    if (!this.isUp) this.rise();
    this.onPush(frame.push);
  }

  rise() {
    this.isUp = true;
    this.hasBeenUp = true;
    this.pauseMs = FIRST_PAUSE_MS;
    this.onLink(true);
  }

  settle({ re, ok, error }) {
    const waiting = this.asked.get(re);
    if (waiting === undefined) return;
    this.asked.delete(re);
    clearTimeout(waiting.timer);
    if (error) waiting.reject(new Refused(error.code, error.message));
    else waiting.resolve(ok);
  }

  // Ask for something; resolves when the server has accepted, rejects with Refused. That it took effect, a push will say.
  ask(op, args = {}) {
    if (!this.isUp) return Promise.reject(new Refused("lost", "连接中断，请稍候；话机仍可使用"));
    const id = this.nextId++;
    this.socket.send(JSON.stringify({ id, op, args, key: freshKey() }));
    return new Promise((resolve, reject) => {
      // A server that does not answer is a dead connection that nobody has noticed yet.
      const timer = setTimeout(() => this.socket.close(), ANSWER_MS);
      this.asked.set(id, { resolve, reject, timer });
    });
  }

  lose() {
    for (const { reject, timer } of this.asked.values()) {
      clearTimeout(timer);
      reject(new Refused("lost", "连接中断，操作结果未知，请看当前状态"));
    }
    this.asked.clear();
    this.isUp = false;
    this.onLink(false);
    this.retry();
  }

  retry() {
    setTimeout(() => this.connect(), this.pauseMs * (0.5 + Math.random() / 2));
    this.pauseMs = Math.min(this.pauseMs * 2, LONGEST_PAUSE_MS);
  }
}
