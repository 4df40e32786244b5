// Keyboard: listed by "?", can be switched off there (single letters may collide with assistive tools).

import { open } from "./dialogs.js";

const GO = { d: "/dashboard", c: "/chain", s: "/strategies", p: "/positions", o: "/orders", r: "/risk" };
const SECOND_KEY_MS = 1200;

let goUntil = 0;

function isOff() {
  try {
    return localStorage.getItem("am-keys") === "off";
  } catch {
    return false;
  }
}

export function isTyping(target) {
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

// What a key asks for: {go}, {act} or null. Pure, so that the table can be tested.
export function meaning(key, afterG) {
  if (afterG) return GO[key] ? { go: GO[key] } : null;
  return { "/": { act: "search" }, "?": { act: "help" }, g: { act: "go" }, b: { act: "buy" }, s: { act: "sell" } }[key] ?? null;
}

function ticket(side, row) {
  const detail = { side, symbol: row.dataset.symbol, exchange: row.dataset.exchange };
  row.dispatchEvent(new CustomEvent("am:ticket", { bubbles: true, detail }));
  if (row.dataset.ticketUrl) location.assign(`${row.dataset.ticketUrl}${row.dataset.ticketUrl.includes("?") ? "&" : "?"}side=${side}`);
}

function act(what, event) {
  if (what.go) location.assign(what.go);
  if (what.act === "go") goUntil = Date.now() + SECOND_KEY_MS;
  if (what.act === "help") open(document.getElementById("keys-dialog"));
  if (what.act === "search") {
    const field = document.querySelector("[data-search]");
    if (!field) return;
    event.preventDefault();
    field.focus();
  }
  if (what.act === "buy" || what.act === "sell") {
    const row = event.target.closest?.("[data-symbol]");
    if (row) ticket(what.act === "buy" ? "BUY" : "SELL", row);
  }
}

export function start() {
  document.addEventListener("keydown", (event) => {
    if (isOff() || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const afterG = Date.now() < goUntil;
    goUntil = 0;
    const what = meaning(event.key, afterG);
    if (what) act(what, event);
  });
  const toggle = document.querySelector("[data-keys-toggle]");
  if (!toggle) return;
  toggle.checked = !isOff();
  toggle.addEventListener("change", () => {
    try {
      localStorage.setItem("am-keys", toggle.checked ? "on" : "off");
    } catch {
      // Not remembered.
    }
  });
}
