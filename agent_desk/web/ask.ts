// Owns the form of asking: an op of the contract with its arguments, whatever becomes of it.

import type { Commands } from "./api.js";

export type Op = keyof Commands;
export type Ask = <O extends Op>(op: O, args: Commands[O]) => Promise<unknown>;

// The ops that need no arguments, as buttons of a template name them.
export type PlainOp = { [O in Op]: Record<string, never> extends Commands[O] ? O : never }[Op];
