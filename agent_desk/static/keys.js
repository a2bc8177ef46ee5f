// Owns the keyboard: function keys, and F9 followed by a digit for the emergency services. No confirmation, by design.

import { byId } from "./dom.js";

const ARMED_MS = 4000;

export function onKeys(actions) {
  const box = byId("sos");
  const buttons = [...box.querySelectorAll("[data-number]")];
  let timer = 0;

  function arm(isArmed) {
    clearTimeout(timer);
    if (isArmed && buttons.every((button) => button.disabled)) return;
    box.classList.toggle("is-armed", isArmed);
    if (isArmed) timer = setTimeout(() => arm(false), ARMED_MS);
  }

  function onDigit(n) {
    if (box.classList.contains("is-armed")) {
      arm(false);
      if (buttons[n - 1] && !buttons[n - 1].disabled) buttons[n - 1].click();
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
      const action = /^F\d+$/.test(event.key) && actions[event.shiftKey ? `Shift+${event.key}` : event.key];
      if (!action) return;
      action();
    }
    event.preventDefault();
  });
}
