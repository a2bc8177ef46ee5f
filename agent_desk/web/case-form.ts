// Owns the case form (登记) beside the call: a draft for each conversation, saved as one types, filed by one key.

import type { Call } from "./call.js";
import type { Config } from "./config.js";
import { all, byId, el, inputById, keyed, selectById, setText } from "./dom.js";
import { type Draft, Drafts, hasWords, NEW, type Words } from "./drafts.js";
import { file, NotFiled, type Suggestion, suggestion, urgedBy } from "./filing.js";
import { dayAndMinute, nowUs, timeOfDay } from "./time.js";

// Whose words a draft takes down.
export type Contact = Pick<NonNullable<Call["context"]>, "conversation" | "number" | "masked" | "cases">;

const SUGGEST_MS = 500;
const SURE_MS = 4000;
const BLANK: Words = { about: "", text: "", kind: "求助", place: "", topic: "", unit: "", is_secret: false };

export class CaseForm {
  private readonly form = byId("case-form") as HTMLFormElement;
  private readonly text = byId("case-text") as HTMLTextAreaElement;
  private readonly kind = selectById("case-kind");
  private readonly place = inputById("case-place");
  private readonly topic = inputById("case-topic");
  private readonly unit = inputById("case-unit");
  private readonly secret = inputById("case-secret");
  private readonly fields = [this.text, this.kind, this.place, this.topic, this.unit, this.secret];
  private readonly drafts: Drafts;
  // The conversation whose draft is in the form; "" for none.
  private shown = "";
  // The one at the seat, whether or not its draft is shown.
  private current = "";
  private suggested: Suggestion | null = null;
  private isFiling = false;
  private sureTimer = 0;
  private suggestTimer = 0;

  // `onFiled`: something was taken down for good.
  constructor(private readonly config: Config, private readonly onFiled: () => void) {
    this.drafts = new Drafts(config.person);
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("input", () => this.onInput());
    this.form.addEventListener("keydown", (event) => this.onKey(event));
    byId("case-file").addEventListener("click", () => void this.file());
    byId("case-discard").addEventListener("click", () => this.discard());
    window.addEventListener("storage", (event) => {
      if (this.drafts.heard(event) === this.shown) this.show(this.shown);
      this.paint();
    });
    this.show(this.drafts.all()[0]?.conversation ?? "");
  }

  // What is at the seat now. A new call never takes the form from somebody who writes in it.
  follow(call: Call | null): void {
    const id = call?.context ? call.id : "";
    if (call?.context) this.learn(call.context);
    if (id !== this.current) {
      const isWriting = this.form.contains(document.activeElement) && this.hasWords(this.shown);
      this.current = id;
      for (const draft of this.drafts.all()) if (draft.conversation !== id && !hasWords(draft)) this.drafts.drop(draft.conversation);
      if (id && !isWriting) this.turn(id);
    }
    if (!this.draft()) this.show(id || this.next());
    this.paint();
  }

  // For somebody who is not on the line: a missed call, a message.
  open(contact: Contact): void {
    this.learn(contact);
    this.turn(contact.conversation);
    this.text.focus();
  }

  // By key: into the form; there already, on to the next draft.
  focus(): void {
    if (this.form.contains(document.activeElement)) this.turn(this.next());
    if (!this.draft()) return;
    const choice = this.choices()[0];
    (choice && !this.draft()!.about ? choice : this.text).focus();
  }

  // How many have words that nobody has filed.
  unfiled = (): number => this.drafts.all().filter(hasWords).length;

  // The agent goes: nothing of a citizen stays.
  forget(): void {
    for (const { conversation } of this.drafts.all()) this.drafts.drop(conversation);
    this.show("");
  }

  private draft = (): Draft | undefined => this.drafts.get(this.shown);
  private choices = (): HTMLInputElement[] => all<HTMLInputElement>(this.form, "[name=about]");

  private hasWords(conversation: string): boolean {
    const draft = this.drafts.get(conversation);
    return draft !== undefined && hasWords(draft);
  }

  private next(): string {
    const ids = this.drafts.all().map((draft) => draft.conversation);
    return ids[(ids.indexOf(this.shown) + 1) % ids.length] ?? "";
  }

  // Of the caller; their open cases may come later than the call itself.
  private learn({ conversation, number, masked, cases = [] }: Contact): void {
    const known = this.drafts.get(conversation);
    if (known && known.cases.length >= cases.length) return;
    const saved = known ?? { ...BLANK, saved_us: 0 };
    this.drafts.keep({ ...saved, conversation, person: this.config.person, number, masked, cases });
  }

  // To another call's draft: what was said of the last one is over.
  private turn(conversation: string): void {
    this.note("");
    this.show(conversation);
  }

  private show(conversation: string): void {
    const draft = this.drafts.get(conversation);
    this.shown = draft ? conversation : "";
    const words: Words = draft ?? BLANK;
    this.text.value = words.text;
    this.kind.value = words.kind;
    this.place.value = words.place;
    this.topic.value = words.topic;
    this.unit.value = words.unit;
    this.secret.checked = words.is_secret;
    this.suggested = null;
    this.calm();
    this.suggestSoon(0);
    this.paint();
  }

  private onInput(): void {
    const before = this.draft();
    if (!before) return;
    const suggested = this.suggested?.unit?.name ?? "";
    const words: Words = {
      about: this.choices().find((choice) => choice.checked)?.value ?? "",
      text: this.text.value,
      kind: this.kind.value,
      place: this.place.value,
      topic: this.topic.value,
      unit: this.unit.value === suggested ? "" : this.unit.value,
      is_secret: this.secret.checked,
    };
    const isKept = this.drafts.keep({ ...before, ...words, saved_us: nowUs() });
    this.note(isKept ? "" : "浏览器没有保存草稿，请尽快提交，不要刷新", !isKept);
    this.suggestSoon(SUGGEST_MS);
    this.paint();
  }

  // Enter goes on to the next field; only Ctrl+Enter files. A word that an input method still composes is left alone.
  private onKey(event: KeyboardEvent): void {
    if (event.key !== "Enter" || event.isComposing) return;
    if (event.ctrlKey) {
      event.preventDefault();
      void this.file();
      return;
    }
    const at = this.fields.findIndex((field) => field === event.target);
    if (event.target === this.text || at < 0) return;
    event.preventDefault();
    this.fields[at + 1]?.focus();
  }

  private async file(): Promise<void> {
    const draft = this.draft();
    if (!draft || this.isFiling) return;
    this.isFiling = true;
    this.note("正在提交…");
    try {
      const { id, said } = await file(draft, this.unit.value, this.config.form_word);
      this.drafts.drop(draft.conversation);
      this.onFiled();
      if (this.shown === draft.conversation) this.show(this.next());
      this.note(said, false, id);
    } catch (error) {
      if (!(error instanceof NotFiled)) throw error;
      this.note(error.message, true);
      if (error.field === "about") this.choices()[0]?.focus();
      if (error.field === "text") this.text.focus();
    } finally {
      this.isFiling = false;
      this.paint();
    }
  }

  private discard(): void {
    const button = byId("case-discard");
    const isSure = button.classList.toggle("danger");
    setText(button, isSure ? "再按一次放弃" : "放弃");
    clearTimeout(this.sureTimer);
    if (isSure) this.sureTimer = window.setTimeout(() => this.calm(), SURE_MS);
    else {
      this.drafts.drop(this.shown);
      this.turn(this.next());
    }
  }

  private calm(): void {
    byId("case-discard").classList.remove("danger");
    setText(byId("case-discard"), "放弃");
  }

  private suggestSoon(afterMs: number): void {
    clearTimeout(this.suggestTimer);
    this.suggestTimer = window.setTimeout(() => void this.suggest(), afterMs);
  }

  // Help that does not come is no error: the dispatcher is told again.
  private async suggest(): Promise<void> {
    const draft = this.draft();
    if (!draft || urgedBy(draft) || !(draft.text.trim() || draft.place.trim() || draft.topic.trim())) return;
    const told = await suggestion(draft, this.config.form_word).catch(() => null);
    if (told === null || this.shown !== draft.conversation) return;
    this.suggested = told;
    if (!this.draft()?.unit && document.activeElement !== this.unit) this.unit.value = told.unit?.name ?? "";
    byId("matter-names").replaceChildren(...told.matters.map(({ name, category }) => el("option", { value: name }, category)));
    this.paint();
  }

  private note(words: string, isRefusal = false, caseId = ""): void {
    const node = byId("case-note");
    node.classList.toggle("is-bad", isRefusal);
    const link = el("a", { href: `/cases/${caseId}`, target: "_blank", rel: "noopener" }, words);
    node.replaceChildren(caseId ? link : words);
  }

  private paint(): void {
    const draft = this.draft();
    const urged = draft && urgedBy(draft);
    for (const node of all(this.form, ".of-draft")) node.hidden = draft === undefined;
    for (const node of all(this.form, ".of-new")) node.hidden = draft === undefined || urged !== undefined;
    byId("no-draft").hidden = draft !== undefined;
    setText(byId("case-file").firstChild!, urged ? `催办 ${urged.number} ` : "受理 ");
    setText(byId("draft-saved"), draft?.saved_us && hasWords(draft) ? `草稿已保存 ${timeOfDay(draft.saved_us)}` : "");
    const { unit = null, reason = "" } = this.suggested ?? {};
    setText(byId("case-suggestion"), unit ? `建议 ${unit.name}。${reason}` : "");
    this.paintChoices(draft);
    this.paintTabs();
  }

  private paintChoices(draft: Draft | undefined): void {
    const cases = draft?.cases ?? [];
    byId("case-about").hidden = cases.length === 0;
    const own = { id: NEW, number: "新诉求", title: "与以上工单无关，另行登记", unit: "", opened_us: 0 };
    const alike = new Set(this.suggested?.open.map(({ id }) => id));
    const make = ({ id, number }: typeof own) =>
      el(
        "label",
        { class: "choice" },
        el("input", { type: "radio", name: "about", value: id }),
        el("b", {}, id === NEW ? number : `催办 ${number}`),
        el("span", { class: "name" }),
        ...(id === NEW ? [] : [el("a", { href: `/cases/${id}`, target: "_blank", rel: "noopener", "aria-label": `查看 ${number}` }, "查看")]),
      );
    keyed(byId("case-choices"), cases.length ? [...cases, own] : [], ({ id }) => `${this.shown} ${id}`, make, (node, { id, title, unit, opened_us }) => {
      (node.firstElementChild as HTMLInputElement).checked = draft?.about === id;
      const words = [alike.has(id) && "同一事项", title, unit, opened_us && dayAndMinute(opened_us)];
      setText(node.querySelector(".name")!, words.filter(Boolean).join(" · "));
    });
  }

  // One tab for each call whose words are not filed, as soon as it is not plain whose the form has.
  private paintTabs(): void {
    const drafts = this.drafts.all();
    byId("drafts").hidden = drafts.every(({ conversation }) => conversation === this.current);
    const make = ({ conversation }: Draft) => el("button", { role: "tab", "aria-controls": "case-form", onclick: () => this.turn(conversation) });
    keyed(byId("drafts"), drafts, ({ conversation }) => conversation, make, (node, { conversation, masked }) => {
      node.setAttribute("aria-selected", String(conversation === this.shown));
      setText(node, `${masked} · ${conversation === this.current ? "本次来电" : "未提交"}`);
    });
  }
}
