// Owns time on the pages: the server's clock as seen from here, and its Chinese forms. Times are UTC microseconds.

const FORMAT = new Intl.DateTimeFormat("zh-CN", {
  timeZone: "Asia/Shanghai",
  hourCycle: "h23",
  year: "numeric",
  month: "2-digit",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

let learntUs = Date.now() * 1000;
let originMs = performance.now();

// The machine's clock may be wrong or be set while we run: the server's answer and the monotonic clock count.
export function learnTime(serverUs: number, askedMs: number, answeredMs: number): void {
  originMs = (askedMs + answeredMs) / 2;
  learntUs = serverUs;
}

export function nowUs(): number {
  return learntUs + (performance.now() - originMs) * 1000;
}

export function duration(us: number): string {
  const whole = Math.max(0, Math.floor(us / 1e6));
  const two = (n: number) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const rest = `${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

export function since(us: number | undefined): string {
  return us ? duration(nowUs() - us) : "";
}

function parts(us: number): Record<string, string> {
  return Object.fromEntries(FORMAT.formatToParts(us / 1000).map(({ type, value }) => [type, value]));
}

export function dateTime(us: number): string {
  const p = parts(us);
  return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}:${p.second}`;
}

export function dayAndMinute(us: number): string {
  const p = parts(us);
  return `${p.month}-${p.day} ${p.hour}:${p.minute}`;
}

export function timeOfDay(us: number): string {
  return dateTime(us).slice(-8);
}
