// Owns what the desk tells a live page when it is loaded (`live_config` in agent_desk/pages.py).

import type { AttemptState, CallbackState, LegState, SeatState } from "./api.js";
import { byId } from "./dom.js";

export interface Config {
  readonly push_url: string;
  readonly form_word: string;
  /** Where to go when the log-in has ended. */
  readonly again: string;
  readonly seat: string;
  readonly seats: readonly string[];
  readonly person: string;
  readonly reasons: readonly string[];
  readonly rest_reasons: readonly string[];
  readonly rest_most: number;
  readonly queues: readonly { readonly number: string; readonly name: string }[];
  readonly worst_penalty: number;
  /** The seat's phone is in the page (网页话机). */
  readonly has_phone: boolean;
  readonly words: {
    readonly seat: Readonly<Record<SeatState, string>>;
    readonly attempt: Readonly<Record<AttemptState, string>>;
    readonly leg: Readonly<Record<LegState, string>>;
    readonly outcome: Readonly<Record<string, string>>;
    readonly oversight: Readonly<Record<string, string>>;
    readonly callback: Readonly<Record<CallbackState, string>>;
  };
}

export const readConfig = (): Config => JSON.parse(byId("desk").dataset.config ?? "");
