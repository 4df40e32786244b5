// Ages tick here, every second, from the receive time that came with the number.
// Elements: data-age="<epoch ms received>"; "data-always" judges them with the market closed too.

import { ageText } from "./format.js";
import { now } from "./clock.js";

const BOUNDS = { slow: 2, stale: 5, down: 60 };
const CLASSES = ["aged-live", "aged-slow", "aged-stale", "aged-down", "aged-closed"];
const WORDS = { live: "live", slow: "slow", stale: "stale", down: "down", closed: "market closed", unknown: "not known" };

export function judge(seconds, bounds = BOUNDS) {
  if (seconds === null || Number.isNaN(seconds)) return "unknown";
  if (seconds > bounds.down) return "down";
  if (seconds > bounds.stale) return "stale";
  return seconds > bounds.slow ? "slow" : "live";
}

export function stamp(element, receivedMs) {
  if (!Number.isFinite(receivedMs)) return;
  element.dataset.age = String(receivedMs);
  show(element);
}

// data-age-bounds="slow,stale,down" on a number or around it; far strikes tick seldom without being wrong.
function boundsOf(element) {
  const given = element.closest("[data-age-bounds]")?.dataset.ageBounds.split(",").map(Number);
  return given?.length === 3 ? { slow: given[0], stale: given[1], down: given[2] } : BOUNDS;
}

// With the market closed an old price is the last there is: dim with its age, not struck out.
function isClosed(element) {
  return document.body.dataset.market === "closed" && element.dataset.always === undefined;
}

export function show(element) {
  const received = element.dataset.age === "" ? NaN : Number(element.dataset.age);
  const seconds = (now() - received) / 1000;
  let state = judge(seconds, boundsOf(element));
  if (state !== "live" && state !== "unknown" && isClosed(element)) state = "closed";
  const text = Number.isNaN(seconds) ? "–" : ageText(seconds);

  if (element.classList.contains("age")) {
    showLabel(element, state, text);
    return;
  }
  const wanted = `aged-${state}`;
  if (!element.classList.contains(wanted)) {
    element.classList.remove(...CLASSES);
    element.classList.add(wanted);
  }
  if (state === "live") delete element.dataset.ageText;
  else element.dataset.ageText = text;
}

function showLabel(element, state, text) {
  const dot = element.querySelector(".dot");
  if (dot) dot.className = `dot dot-${state === "closed" || state === "unknown" ? "unknown" : state}`;
  const label = element.querySelector("[data-age-label]");
  if (label) label.textContent = state === "live" ? WORDS.live : `${WORDS[state]}, ${text}`;
  element.title = `${WORDS[state]}, ${text} old`;
}

export function tick(root = document) {
  for (const element of root.querySelectorAll("[data-age]")) show(element);
}

export function start() {
  tick();
  setInterval(tick, 1000);
}
