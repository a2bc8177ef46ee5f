// Owns the few ways in which our scripts touch the page. Text goes in as text: nothing from outside ever becomes markup.

import type { SeatState } from "./api.js";

const SVG = "http://www.w3.org/2000/svg";

type Shape = readonly [string, Readonly<Record<string, string | number>>];

// One shape per state, so that colour is never the only difference.
const SHAPES: Readonly<Record<SeatState, Shape>> = {
  ready: ["circle", { cx: 6, cy: 6, r: 4.5, fill: "none", stroke: "currentColor", "stroke-width": 2 }],
  ringing: ["path", { d: "M6 1l5.5 10H.5z", fill: "currentColor" }],
  talking: ["circle", { cx: 6, cy: 6, r: 5, fill: "currentColor" }],
  conference: ["path", { d: "M6 0l6 6-6 6-6-6z", fill: "currentColor" }],
  held: ["path", { d: "M2 1h3v10H2zM7 1h3v10H7z", fill: "currentColor" }],
  dialling: ["path", { d: "M1 6h7M5 2l4 4-4 4", fill: "none", stroke: "currentColor", "stroke-width": 2 }],
  consulting: ["path", { d: "M6 0a6 6 0 0 0 0 12z", fill: "currentColor" }],
  wrap_up: ["rect", { x: 1, y: 1, width: 10, height: 10, fill: "currentColor" }],
  not_ready: ["path", { d: "M1 5h10v2H1z", fill: "currentColor" }],
  signed_out: ["circle", { cx: 6, cy: 6, r: 2, fill: "currentColor" }],
  phone_down: ["path", { d: "M2 2l8 8M10 2l-8 8", fill: "none", stroke: "currentColor", "stroke-width": 2 }],
};

const COLOURS: Readonly<Record<SeatState, string>> = {
  ready: "s-ready",
  ringing: "s-ring",
  talking: "s-talk",
  conference: "s-talk",
  held: "s-ring",
  dialling: "s-ring",
  consulting: "s-talk",
  wrap_up: "s-wrap",
  not_ready: "s-away",
  signed_out: "s-off",
  phone_down: "s-alarm",
};

// What the template has; a page without it was built of other parts than its script.
export function byId(id: string): HTMLElement {
  const node = document.getElementById(id);
  if (node === null) throw new Error(`the page has no #${id}`);
  return node;
}

export const inputById = (id: string): HTMLInputElement => byId(id) as HTMLInputElement;
export const buttonById = (id: string): HTMLButtonElement => byId(id) as HTMLButtonElement;
export const selectById = (id: string): HTMLSelectElement => byId(id) as HTMLSelectElement;

export const all = <T extends HTMLElement = HTMLElement>(within: ParentNode, selector: string): T[] => [...within.querySelectorAll<T>(selector)];
export const buttons = (within: ParentNode, selector = "button"): HTMLButtonElement[] => all<HTMLButtonElement>(within, selector);

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | (() => unknown)>> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener("click", value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

export function setClass(node: Element, name: string): void {
  if (node.className !== name) node.className = name;
}

// A badge of shape and word; `paintState` changes only what differs.
export function stateBadge(): HTMLElement {
  const node = el("span", { class: "state" });
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", "0 0 12 12");
  drawing.setAttribute("aria-hidden", "true");
  node.append(drawing, el("span"));
  return node;
}

export function paintState(node: HTMLElement, name: SeatState, text: string): void {
  if (node.dataset.shape !== name) {
    node.dataset.shape = name;
    node.classList.remove(...Object.values(COLOURS));
    node.classList.add(COLOURS[name]);
    const [tag, attributes] = SHAPES[name];
    const shape = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, String(value));
    node.firstElementChild!.replaceChildren(shape);
  }
  setText(node.lastChild!, text);
}

// Make `box` hold one child per item, in order. A child lives as long as its key: focus and clicks survive updates.
export function keyed<T, N extends HTMLElement>(
  box: HTMLElement,
  items: readonly T[],
  keyOf: (item: T) => string | number,
  make: (item: T) => N,
  update: (child: N, item: T) => void,
): void {
  const old = new Map([...box.children].map((child) => [(child as N).dataset.key, child as N]));
  let place: Element | null = box.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let child = old.get(key);
    if (child === undefined) {
      child = make(item);
      child.dataset.key = key;
    }
    old.delete(key);
    update(child, item);
    if (child === place) place = child.nextElementSibling;
    else box.insertBefore(child, place);
  }
  for (const gone of old.values()) gone.remove();
}
