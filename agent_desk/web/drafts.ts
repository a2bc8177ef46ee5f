// Owns the drafts of cases (草稿): one for each conversation, kept in this browser until it is filed or given up.

import type { CaseBrief } from "./api.js";

const PREFIX = "draft:";

export const NEW = "new";

// `about`: the id of the open case that the citizen asks after, NEW for a matter of its own, "" while nobody has said.
export interface Words {
  readonly about: string;
  readonly text: string;
  readonly kind: string;
  readonly place: string;
  readonly topic: string;
  /** Only where it overrules the suggestion. */
  readonly unit: string;
  readonly is_secret: boolean;
}

export interface Draft extends Words {
  readonly conversation: string;
  /** Whose words these are: the agent's number (工号). */
  readonly person: string;
  readonly number: string;
  readonly masked: string;
  /** The citizen's open cases, as the pop told them. */
  readonly cases: readonly CaseBrief[];
  readonly saved_us: number;
}

export const hasWords = ({ text, place, topic, unit }: Words): boolean => [text, place, topic, unit].some((word) => word.trim() !== "");

export class Drafts {
  private readonly kept = new Map<string, Draft>();

  // Another person's words never stay on a shared computer.
  constructor(person: string) {
    for (const key of this.keys()) {
      const draft = this.read(key);
      if (draft?.person === person) this.kept.set(draft.conversation, draft);
      else localStorage.removeItem(key);
    }
  }

  all = (): Draft[] => [...this.kept.values()];
  get = (conversation: string): Draft | undefined => this.kept.get(conversation);

  // False: the browser did not take it (full, or forbidden); then this page alone has it.
  keep(draft: Draft): boolean {
    this.kept.set(draft.conversation, draft);
    try {
      localStorage.setItem(PREFIX + draft.conversation, JSON.stringify(draft));
    } catch {
      return false;
    }
    return true;
  }

  drop(conversation: string): void {
    this.kept.delete(conversation);
    localStorage.removeItem(PREFIX + conversation);
  }

  // Another tab of this browser at the same seat has written or filed one: its conversation, "" for none of ours.
  heard({ key, newValue }: StorageEvent): string {
    if (!key?.startsWith(PREFIX)) return "";
    const conversation = key.slice(PREFIX.length);
    if (newValue === null) this.kept.delete(conversation);
    else this.kept.set(conversation, JSON.parse(newValue));
    return conversation;
  }

  private keys = (): string[] => Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));

  private read(key: string): Draft | null {
    try {
      return JSON.parse(localStorage.getItem(key) ?? "null");
    } catch {
      return null;
    }
  }
}
