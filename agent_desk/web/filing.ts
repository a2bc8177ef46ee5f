// Owns what the case form asks of the desk: whom a case would go to, filing it, urging one that is open.

import type { CaseBrief } from "./api.js";
import type { Draft } from "./drafts.js";
import { NotDone, post } from "./posting.js";

const TITLE_LIMIT = 40;
const LOST = "没有收到服务器的回答；草稿还在，请再提交一次（不会重复登记）";
const LOGGED_OUT = "登录已失效；草稿还在，请重新登录后再提交";

export interface Suggestion {
  readonly unit: { readonly id: string; readonly name: string } | null;
  readonly reason: string;
  readonly topic: string;
  // The citizen's open cases of the same matter.
  readonly open: readonly { readonly id: string }[];
  readonly matters: readonly { readonly name: string; readonly category: string }[];
}

// Why nothing was filed, in words for the agent; `field` is what to mend, "" when it is none of the form's.
export class NotFiled extends Error {
  constructor(message: string, readonly field: "" | "text" | "about" = "") {
    super(message);
  }
}

// What the citizen said first: enough for a list to tell one case from the next.
export function titleOf(text: string): string {
  const first = text.trim().split(/[。！？；\n!?;]/, 1)[0].trim();
  return [...(first || text.trim())].slice(0, TITLE_LIMIT).join("");
}

// The open case that these words are about; undefined for a matter of its own.
export const urgedBy = ({ about, cases }: Draft): CaseBrief | undefined => cases.find((one) => one.id === about);

async function send<T>(path: string, body: unknown, formWord: string): Promise<T> {
  try {
    return await post<T>(path, body, formWord);
  } catch (error) {
    if (!(error instanceof NotDone)) throw error;
    if (error.status === 401 || error.status === 403) throw new NotFiled(LOGGED_OUT);
    throw new NotFiled(error.said ? `${error.said}（草稿还在）` : LOST);
  }
}

const filingOf = ({ text, kind, place, topic, number, conversation, is_secret }: Draft, unit: string) => ({
  title: titleOf(text), text, kind, place, topic, unit, number, conversation, is_secret,
});

export const suggestion = (draft: Draft, formWord: string): Promise<Suggestion> =>
  send("/api/cases/suggestion", filingOf(draft, ""), formWord);

// What has been done, in words with the case's number, and the case's id. `unit`: as the form shows it.
export async function file(draft: Draft, unit: string, formWord: string): Promise<{ id: string; said: string }> {
  const { cases, about, text, conversation } = draft;
  if (cases.length && !about) throw new NotFiled(`该市民有 ${cases.length} 件在办工单：请先选催办哪一件，或选新诉求`, "about");
  if (!text.trim()) throw new NotFiled("请填写诉求内容", "text");
  const urged = urgedBy(draft);
  if (urged) {
    const told = await send<{ id: string; number: string; urged: number }>(`/api/cases/${urged.id}/urge`, { text, conversation }, formWord);
    return { id: told.id, said: `已催办 ${told.number}（第 ${told.urged} 次）` };
  }
  const told = await send<{ id: string; number: string }>("/api/cases", filingOf(draft, unit.trim()), formWord);
  return { id: told.id, said: `已受理，编号 ${told.number}` };
}
