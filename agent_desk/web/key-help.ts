// Owns the list of all keys under "?": what each does, and setting another one for it.

import { byId, el, keyed, setText } from "./dom.js";
import { type Deed, DEFAULTS, deeds, keyOf, named, resetKeys, setKey, shown } from "./keys.js";

const WORDS: Readonly<Record<Deed, string>> = {
  case: "登记：到登记表；已在表中时换下一件草稿",
  ready: "签入、示闲；网页话机振铃时接听",
  not_ready: "示忙，再按 1–9 选原因",
  wrap_up: "话后整理",
  hand: "举手、放下",
  hold: "保持、取回",
  mute: "静音、取消静音",
  leave: "离开，市民与第三方继续",
  recording: "暂停、恢复录音",
  three_way: "通讯录：三方、咨询、转接",
  knowledge: "知识库",
  hang_up: "挂断",
};

export class KeyHelp {
  private readonly box = byId("keys-help") as HTMLDialogElement;
  // Whose key is being set: the next key that is pressed.
  private waiting: Deed | null = null;

  constructor() {
    byId("keys-open").addEventListener("click", () => this.open());
    byId("keys-close").addEventListener("click", () => this.box.close());
    byId("keys-reset").addEventListener("click", () => {
      resetKeys();
      this.paint();
    });
    this.box.addEventListener("keydown", (event) => this.onKey(event));
    this.box.addEventListener("close", () => (this.waiting = null));
  }

  open(): void {
    this.paint();
    if (!this.box.open) this.box.showModal();
  }

  private paint(): void {
    keyed(byId("keys-list"), deeds, (deed) => deed, (deed) => this.row(deed), (row, deed) => {
      const button = row.lastElementChild!.firstElementChild!;
      setText(button, this.waiting === deed ? "请按新键…" : shown(keyOf(deed)));
      button.classList.toggle("is-on", keyOf(deed) !== DEFAULTS[deed]);
    });
  }

  private row(deed: Deed): HTMLTableRowElement {
    const wait = () => {
      this.waiting = deed;
      setText(byId("keys-note"), "");
      this.paint();
    };
    const button = el("button", { class: "btn small", "aria-describedby": `key-${deed}`, onclick: wait });
    return el("tr", {}, el("td", { id: `key-${deed}` }, WORDS[deed]), el("td", {}, button));
  }

  // Nothing that is pressed here is done on the page as well, but for the emergency key.
  private onKey(event: KeyboardEvent): void {
    if (this.waiting === null || event.key === "Escape" || event.key === "Tab" || event.key === "Shift") return;
    event.preventDefault();
    event.stopPropagation();
    const key = named(event);
    if (key === "") {
      setText(byId("keys-note"), "只能用 F1–F10，可加 Shift；F5 和 F9 除外");
      return;
    }
    setKey(this.waiting, key);
    this.waiting = null;
    this.paint();
  }
}
