// Owns the keyboard: function keys, and F9 followed by a digit for the emergency services. No confirmation, by design.

import { buttons, byId } from "./dom.js";

const ARMED_MS = 4000;

// `keys`: what each function key does ("F2", "Shift+F4"). `reason(n)`: whether the digit meant something.
export interface KeyActions {
  readonly keys: Readonly<Record<string, () => void>>;
  readonly reason: (n: number) => boolean;
  readonly escape: () => void;
}

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
    if (event.key === "F9" && !event.shiftKey) arm(true);
    else if (event.key === "Escape") {
      arm(false);
      actions.escape();
      return;
    } else if (/^[1-9]$/.test(event.key)) {
      if (!onDigit(Number(event.key))) return;
    } else {
      const action = actions.keys[event.shiftKey ? `Shift+${event.key}` : event.key];
      if (action === undefined) return;
      action();
    }
    event.preventDefault();
  });
}
