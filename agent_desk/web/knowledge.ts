// Owns the knowledge base (知识库) beside the call: what answers a question, while the citizen speaks.

import { byId, el, inputById, keyed, setText } from "./dom.js";

const TYPED_MS = 300;

// As /api/knowledge tells of an entry (agent_desk/cases/knowing.py).
interface Entry {
  readonly id: string;
  readonly question: string;
  readonly answer: string;
  readonly is_cut: boolean;
  readonly unit: string;
  readonly until: string;
}

export class Knowledge {
  private readonly input = inputById("find-knowledge");
  private readonly box = byId("knowledge");
  private timer = 0;

  constructor(private readonly formWord: string) {
    this.input.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = window.setTimeout(() => void this.search(), TYPED_MS);
    });
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) void this.search(true);
    });
  }

  focus(): void {
    this.input.focus();
    this.input.select();
  }

  // `isMeant`: searched to the end, so that what nobody has answered is counted for the units to write.
  private async search(isMeant = false): Promise<void> {
    clearTimeout(this.timer);
    const q = this.input.value.trim();
    if (!q) return this.paint([], "");
    try {
      const answer = await fetch(`/api/knowledge?${new URLSearchParams({ q })}`);
      if (!answer.ok) throw new Error(`knowledge: ${answer.status}`);
      const { entries, meant }: { entries: Entry[]; meant: string } = await answer.json();
      const isMissed = isMeant && !entries.length && (await this.miss(q));
      if (this.input.value.trim() !== q) return;
      this.paint(entries, meant ? `按“${meant}”查找` : entries.length ? "" : isMissed ? "没有检索到，已记入未检索到清单" : "没有检索到");
    } catch {
      this.paint([], "知识库暂不可用，请稍后再试");
    }
  }

  // Whether it was counted: what looks like a citizen's number is not.
  private async miss(q: string): Promise<boolean> {
    const headers = { "Content-Type": "application/json", "X-Form-Word": this.formWord };
    const answer = await fetch("/api/knowledge/missed", { method: "POST", headers, body: JSON.stringify({ q }) });
    return answer.ok && (await answer.json()).is_counted;
  }

  private paint(entries: readonly Entry[], note: string): void {
    keyed(this.box, entries, ({ id }) => id, (entry) => this.row(entry), () => undefined);
    setText(byId("no-knowledge"), note);
    byId("no-knowledge").hidden = note === "";
  }

  private row({ id, question, answer, is_cut: isCut, unit, until }: Entry): HTMLElement {
    const from = [unit, until && `有效至 ${until}`].filter(Boolean).join(" · ");
    return el(
      "div",
      { class: "unit" },
      el("b", {}, question),
      el("a", { class: "btn small", href: `/knowledge/${id}`, target: "_blank", rel: "noopener", "aria-label": `全文 ${question}` }, "全文"),
      el("span", { class: "answer" }, isCut ? `${answer}…` : answer),
      el("span", { class: "wide small muted" }, from),
    );
  }
}
