// How long a plan still lives: [data-until] counts down in words, [data-ends] disables its button at the end.

import { now } from "./clock.js";

const TICK_MS = 500;

function tick() {
  const at = now();
  for (const element of document.querySelectorAll("[data-until]")) {
    const left = Math.ceil((Number(element.dataset.until) - at) / 1000);
    element.textContent = left > 0 ? `${left} s left` : "expired, preview again";
  }
  for (const button of document.querySelectorAll("[data-ends]")) {
    if (Number(button.dataset.ends) <= at) button.disabled = true;
  }
}

setInterval(tick, TICK_MS);
tick();
