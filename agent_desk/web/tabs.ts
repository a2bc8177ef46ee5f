// Owns the tabs beside the call: one panel at a time. A tab names its panel by aria-controls.

import { byId, buttons } from "./dom.js";

// `onShow`: what to do when the tab with that id comes into sight.
export function followTabs(list: HTMLElement, onShow: Readonly<Record<string, () => void>>): void {
  const tabs = buttons(list, "[role=tab]");
  const show = (shown: HTMLButtonElement): void => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab === shown));
      byId(tab.getAttribute("aria-controls") ?? "").hidden = tab !== shown;
    }
    onShow[shown.id]?.();
  };
  for (const tab of tabs) tab.addEventListener("click", () => show(tab));
}
