// Owns the visit back (回访) on the agent's page: whom to call now, the call with its script, and what the citizen said.

import type { Config } from "./config.js";
import { all, buttons, byId, el, keyed, setText } from "./dom.js";
import { NotDone, post } from "./posting.js";

const EVERY_MS = 15000;
const KEPT = "visit";
const GRADES = [["5", "非常满意"], ["4", "满意"], ["3", "基本满意"], ["2", "不满意"], ["1", "非常不满意"]] as const;

// As /api/visits tells of a case.
interface Visit {
  readonly id: string;
  readonly number: string;
  readonly title: string;
  readonly unit: string;
  readonly masked: string;
  readonly tries: number;
  readonly most: number;
  readonly taken_by: string;
  readonly script: string;
}

type Dial = (args: { number: string; about: string }) => Promise<boolean>;

export class Visits {
  private visits: readonly Visit[] = [];
  private isAllowed = false;

  constructor(private readonly config: Config, private readonly dial: Dial, private readonly tell: (message: string) => void) {
    void this.load();
    setInterval(() => void this.load(), EVERY_MS);
  }

  // Whoever has no visitor's post is told so, and sees no such tab.
  async load(): Promise<void> {
    const answer = await fetch("/api/visits").catch(() => null);
    const visits: readonly Visit[] | null | undefined = answer?.ok ? (await answer.json()).visits : undefined;
    if (visits === null) return;
    if (visits) this.visits = visits;
    byId("tab-visits").hidden = false;
    setText(byId("no-visits"), visits ? "现在没有待回访的工单" : "回访列表暂不可用，稍后自动重试");
    this.paint();
  }

  allow(allowed: readonly string[]): void {
    this.isAllowed = allowed.includes("call.dial");
    for (const button of buttons(byId("visits"), "[data-way]")) button.disabled = !this.isAllowed;
  }

  private get open(): string {
    return sessionStorage.getItem(KEPT) ?? "";
  }

  private set open(id: string) {
    sessionStorage.setItem(KEPT, id);
  }

  private paint(): void {
    setText(byId("visits-count"), this.visits.length ? String(this.visits.length) : "");
    byId("no-visits").hidden = this.visits.length > 0;
    keyed(byId("visits"), this.visits, ({ id }) => id, (visit) => this.row(visit), (node, visit) => {
      setText(node.querySelector(".hours")!, this.story(visit));
      node.querySelector("form")!.hidden = visit.id !== this.open;
    });
    this.allow(this.isAllowed ? ["call.dial"] : []);
  }

  private story({ number, unit, masked, tries, most, taken_by: holder }: Visit): string {
    const words = [masked || "未留号码", unit, tries ? `第 ${tries + 1} 次（共 ${most} 次）` : "首次", number];
    if (holder && holder !== this.config.person) words.unshift(`工号 ${holder} 正在回访`);
    return words.join(" · ");
  }

  private row(visit: Visit): HTMLElement {
    const call = el("button", { class: "btn small", "data-way": "call.dial", "aria-label": `呼叫 ${visit.number}`, onclick: () => void this.call(visit) }, "呼叫");
    const page = el("a", { class: "btn small", href: `/cases/${visit.id}`, target: "_blank", rel: "noopener", "aria-label": `工单 ${visit.number}` }, "工单");
    return el(
      "div",
      { class: "unit" },
      el("b", {}, visit.title),
      el("span", { class: "ways" }, call, page),
      el("span", { class: "wide small muted" }, el("span", { class: "hours" })),
      this.form(visit),
    );
  }

  private form(visit: Visit): HTMLElement {
    const grade = el("select", { name: "satisfaction", "aria-label": "满意度" }, el("option", { value: "" }, "满意度…"), ...GRADES.map(([value, word]) => el("option", { value }, word)));
    const reason = el("textarea", { name: "reason", rows: "2", maxlength: "20000", "aria-label": "市民的说法", placeholder: "市民的说法；不满意写明对什么不满意" });
    const tick = (name: string, word: string) => el("label", { class: "tick" }, el("input", { type: "checkbox", name }), ` ${word}`);
    const form = el(
      "form",
      { class: "answer visit-form", hidden: "", autocomplete: "off" },
      el("p", { class: "script" }, visit.script),
      grade,
      el("span", { class: "tick-row" }, tick("is_solved", "问题已解决"), tick("is_in_time", "联系及时")),
      reason,
      el(
        "span",
        { class: "ways" },
        el("button", { type: "button", class: "btn primary small", onclick: () => void this.heard(visit, form) }, "记录回访"),
        el("button", { type: "button", class: "btn small", onclick: () => void this.unreached(visit, reason.value) }, "未接通"),
      ),
    );
    form.addEventListener("submit", (event) => event.preventDefault());
    return form;
  }

  // The agent's own phone rings first, then the citizen's; meanwhile the script is read.
  private async call(visit: Visit): Promise<void> {
    const told = await this.asked<{ number: string }>(visit, "/take", {});
    if (!told) return;
    this.open = visit.id;
    this.paint();
    if (!told.number) this.tell("市民没有留下号码，请督办员签批办结");
    else await this.dial({ number: told.number, about: visit.id });
  }

  private async heard(visit: Visit, form: HTMLFormElement): Promise<void> {
    const [grade] = all<HTMLSelectElement>(form, "select");
    const [reason] = all<HTMLTextAreaElement>(form, "textarea");
    const isTicked = (name: string) => all<HTMLInputElement>(form, `[name=${name}]`)[0]!.checked;
    if (!grade!.value) return this.tell("请选满意度");
    await this.keep(visit, {
      type: "visited",
      satisfaction: Number(grade!.value),
      is_solved: isTicked("is_solved"),
      is_in_time: isTicked("is_in_time"),
      reason: reason!.value,
    });
  }

  private unreached(visit: Visit, reason: string): Promise<void> {
    return this.keep(visit, { type: "unreached", reason: reason.trim() || "无人接听" });
  }

  private async keep(visit: Visit, body: unknown): Promise<void> {
    const told = await this.asked<{ state: string; next: string }>(visit, "", { outcome: body });
    if (!told) return;
    this.open = "";
    this.tell(`${visit.number} ${told.state}${told.next ? `，${told.next} 再回访` : ""}`);
    await this.load();
  }

  // The answer, or null after saying why there is none.
  private async asked<T>({ id }: Visit, deed: string, body: unknown): Promise<T | null> {
    try {
      return await post<T>(`/api/cases/${id}/visit${deed}`, body, this.config.form_word);
    } catch (error) {
      if (!(error instanceof NotDone)) throw error;
      this.tell(error.message);
      return null;
    }
  }
}
