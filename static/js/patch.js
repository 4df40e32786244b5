// Patches cells in place. Ticks are last value wins, painted at most five times a second.

import * as format from "./format.js";
import { stamp } from "./age.js";

// A little under a fifth of a second: the wait for the frame comes on top.
const PAINT_EVERY_MS = 185;
// The rest of a burst, so that it is painted once.
const GATHER_MS = 30;
const MARKED_MS = 600;
const WHOLE = new Set(["bq", "aq", "oi", "v"]);

let quotes = new Map();
let values = new Map();
let indexed = false;
let waitingQuotes = new Map();
let waitingValues = new Map();
let painting = null;
let paintedAt = -Infinity;
let fresh = new Set();
let lit = new Set();
let dimming = null;

function collect(attribute) {
  const found = new Map();
  for (const element of document.querySelectorAll(`[data-${attribute}]`)) {
    const key = element.dataset[attribute];
    if (found.has(key)) found.get(key).push(element);
    else found.set(key, [element]);
  }
  return found;
}

export function forgetCells() {
  indexed = false;
}

function index() {
  if (indexed) return;
  quotes = collect("quote");
  values = collect("value");
  indexed = true;
}

function write(element, text, className) {
  if (element.textContent !== text) {
    element.textContent = text;
    fresh.add(element);
  }
  if (className === undefined) element.classList.remove("unknown");
  else if (!element.classList.contains(className.split(" ").at(-1))) {
    element.classList.remove("pnl", "pnl-up", "pnl-down", "pnl-flat", "unknown");
    element.classList.add(...className.split(" "));
  }
}

function quoteText(field, quote, element) {
  if (field === "spread") return format.price(format.difference(quote.a, quote.b));
  if (field === "c") {
    const change = format.difference(quote.l, element.dataset.base);
    return { text: format.signedPrice(change), className: format.moneyClass(change) };
  }
  if (field === "cp") {
    const change = format.difference(quote.l, element.dataset.base);
    const share = change === null ? null : ((Number(change) / Number(element.dataset.base)) * 100).toFixed(4);
    // Coloured by what is shown: 0.00% is neither up nor down.
    return { text: format.signedPercent(share), className: format.moneyClass(share) };
  }
  return WHOLE.has(field) ? format.whole(quote[field]) : format.price(quote[field]);
}

export function paintQuote(element, quote) {
  const field = element.dataset.field;
  const depends = field === "spread" ? ["a", "b"] : field === "c" || field === "cp" ? ["l"] : [field];
  if (depends.every((name) => quote[name] === undefined)) return;
  const shown = quoteText(field, quote, element);
  if (typeof shown === "string") write(element, shown);
  else write(element, shown.text, shown.className);
  stamp(element, quote.t);
}

export function paintValue(element, value, at) {
  const kind = element.dataset.format ?? "money";
  if (kind === "bar") {
    const rect = element.querySelector("rect");
    rect?.setAttribute("width", format.barWidth(value));
    element.setAttribute("aria-valuenow", value === null ? "" : String(value));
    return;
  }
  if (kind === "signed-money") write(element, format.signedMoney(value), format.moneyClass(value));
  else if (kind === "text") write(element, value ?? format.UNKNOWN);
  else {
    const text = { money: format.money, int: format.whole, percent: format.percent, price: format.price }[kind](value);
    if (value === null) write(element, text, "unknown");
    else write(element, text);
  }
  if (element.dataset.alarmCount !== undefined) element.hidden = Number(value) === 0;
  if (element.dataset.age !== undefined && value !== null) stamp(element, at);
}

// What changed is marked until the next paint. No animation: hundreds of cells of a chain change at once, and a
// running one would cost a frame's work sixty times a second.
function mark() {
  for (const element of lit) if (!fresh.has(element)) element.classList.remove("changed");
  for (const element of fresh) element.classList.add("changed");
  lit = fresh;
  fresh = new Set();
  clearTimeout(dimming);
  dimming = setTimeout(() => {
    for (const element of lit) element.classList.remove("changed");
    lit = new Set();
  }, MARKED_MS);
}

function paint() {
  painting = null;
  paintedAt = performance.now();
  index();
  for (const [key, quote] of waitingQuotes) for (const element of quotes.get(key) ?? []) paintQuote(element, quote);
  for (const [key, item] of waitingValues) {
    for (const element of values.get(key) ?? []) paintValue(element, item.value, item.at);
  }
  waitingQuotes = new Map();
  waitingValues = new Map();
  mark();
}

// After a pause at once, then five times a second.
export function waitToPaint(sinceMs) {
  return Math.max(PAINT_EVERY_MS - sinceMs, GATHER_MS);
}

function soon() {
  if (painting !== null) return;
  painting = setTimeout(() => requestAnimationFrame(paint), waitToPaint(performance.now() - paintedAt));
}

export function takeTicks(ticks) {
  for (const [key, quote] of Object.entries(ticks)) {
    waitingQuotes.set(key, { ...waitingQuotes.get(key), ...quote });
  }
  soon();
}

export function takeValues(pushed, at) {
  for (const [key, value] of Object.entries(pushed)) waitingValues.set(key, { value, at });
  soon();
}
