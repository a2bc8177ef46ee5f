// Owns the keyboard: which key does what, as the agent has set it, and F9 followed by a digit for the emergency services. No
// confirmation, by design; and these no setting can take away.

import { all, buttons, byId, setText } from "./dom.js";

const ARMED_MS = 4000;
const KEPT = "keys";
export const EMERGENCY_KEY = "F9";

// What each is for, and its key as long as the agent has set none.
export const DEFAULTS = {
  case: "F1",
  ready: "F2",
  not_ready: "F3",
  wrap_up: "F4",
  hand: "Shift+F4",
  hold: "F6",
  mute: "Shift+F6",
  leave: "F7",
  recording: "Shift+F7",
  three_way: "F8",
  knowledge: "Shift+F8",
  hang_up: "F10",
} as const;

export type Deed = keyof typeof DEFAULTS;
type Keys = Readonly<Record<Deed, string>>;

// `reason(n)`: whether the digit meant something. `help`: the list of keys is wanted.
export interface KeyActions {
  readonly deeds: Readonly<Record<Deed, () => void>>;
  readonly reason: (n: number) => boolean;
  readonly escape: () => void;
  readonly help: () => void;
}

export const deeds = Object.keys(DEFAULTS) as readonly Deed[];
let keys: Keys = { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(KEPT) ?? "{}") as Partial<Keys>) };

export const keyOf = (deed: Deed): string => keys[deed];
export const shown = (key: string): string => key.replace("Shift+", "⇧");

// A key as it is kept, "" for one that nobody may set: function keys alone, and none that the browser or 110 needs.
export function named(event: KeyboardEvent): string {
  if (event.ctrlKey || event.altKey || event.metaKey || !/^F([1-9]|10)$/.test(event.key)) return "";
  if (event.key === EMERGENCY_KEY || event.key === "F5") return "";
  return event.shiftKey ? `Shift+${event.key}` : event.key;
}

// Whoever has the key now gets the one that `deed` had: no deed is ever without a key.
export function setKey(deed: Deed, key: string): void {
  const other = deeds.find((one) => keys[one] === key);
  keep({ ...keys, ...(other ? { [other]: keys[deed] } : {}), [deed]: key });
}

export const resetKeys = (): void => keep(DEFAULTS);

function keep(changed: Keys): void {
  keys = changed;
  localStorage.setItem(KEPT, JSON.stringify(keys));
  paintKeys();
}

// The small key beside each button.
export function paintKeys(): void {
  for (const node of all(document, "[data-key-of]")) setText(node, shown(keys[node.dataset.keyOf as Deed]));
}

const isTyping = (): boolean => /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");

export function onKeys(actions: KeyActions): void {
  const box = byId("sos");
  const services = buttons(box, "[data-number]");
  let timer = 0;

  function arm(isArmed: boolean): void {
    clearTimeout(timer);
    if (isArmed && services.every((button) => button.disabled)) return;
    box.classList.toggle("is-armed", isArmed);
    if (isArmed) timer = window.setTimeout(() => arm(false), ARMED_MS);
  }

  function onDigit(n: number): boolean {
    if (box.classList.contains("is-armed")) {
      arm(false);
      if (services[n - 1] && !services[n - 1].disabled) services[n - 1].click();
      return true;
    }
    return actions.reason(n);
  }

  window.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    if (event.key === EMERGENCY_KEY && !event.shiftKey) arm(true);
    else if (event.key === "Escape") {
      arm(false);
      actions.escape();
      return;
    } else if (event.key === "?" && !isTyping()) actions.help();
    else if (/^[1-9]$/.test(event.key)) {
      if (!onDigit(Number(event.key))) return;
    } else {
      const key = named(event);
      const deed = deeds.find((one) => keys[one] === key);
      if (deed === undefined) return;
      actions.deeds[deed]();
    }
    event.preventDefault();
  });
  paintKeys();
}
