// Clicks on bids and asks gather legs; the tray shows them and posts them to the builder or the ticket.

import { addLeg, posted, setLots } from "./legs.js";

const STORE = "am-basket";

let legs = [];

function load(tray) {
  try {
    legs = JSON.parse(sessionStorage.getItem(`${STORE}:${tray.dataset.basketTray}`) ?? "[]");
  } catch {
    legs = [];
  }
}

function keep(tray) {
  try {
    sessionStorage.setItem(`${STORE}:${tray.dataset.basketTray}`, JSON.stringify(legs));
  } catch {
    // The basket lives until the page is left.
  }
}

function keyOf(leg) {
  return `${leg.exchange}:${leg.symbol}`;
}

function legRow(leg, position) {
  const item = document.createElement("li");
  item.className = "basket-leg";
  const side = document.createElement("span");
  side.className = leg.side === "BUY" ? "side-buy" : "side-sell";
  side.textContent = leg.side;
  const name = document.createElement("span");
  name.textContent = leg.label || leg.symbol;
  const price = document.createElement("span");
  Object.assign(price, { className: "unknown", textContent: "–" });
  Object.assign(price.dataset, { quote: keyOf(leg), field: "l" });
  const lots = document.createElement("input");
  Object.assign(lots, { type: "number", min: "1", max: "999", value: String(leg.lots), className: "input input-xs w-16" });
  lots.setAttribute("aria-label", `Lots of ${leg.symbol}`);
  lots.dataset.lotsOf = String(position);
  const remove = document.createElement("button");
  remove.type = "button";
  remove.textContent = "×";
  remove.dataset.dropLeg = String(position);
  remove.setAttribute("aria-label", `Remove ${leg.side} ${leg.symbol}`);
  item.append(side, name, price, lots, remove);
  return item;
}

function draw(tray) {
  tray.hidden = legs.length === 0;
  const list = tray.querySelector("[data-basket-legs]");
  list.replaceChildren(...legs.map(legRow));
  // A topic each: legs of other expiries tick too, and one that is listed no more does not mute the others.
  list.dataset.topics = legs.map((leg) => `symbols:${keyOf(leg)}`).join(" ");
  document.body.dispatchEvent(new CustomEvent("am:topics"));
  for (const field of tray.querySelectorAll('input[name="legs"]')) field.value = posted(legs);
  const count = tray.querySelector("[data-basket-count]");
  if (count) count.textContent = legs.length === 1 ? "1 leg" : `${legs.length} legs`;
  tray.dispatchEvent(new CustomEvent("am:basket", { bubbles: true, detail: { legs } }));
  const payoff = tray.querySelector("details[open][data-basket-payoff]");
  if (legs.length) payoff?.dispatchEvent(new CustomEvent("am:payoff"));
}

function change(tray, next) {
  legs = next;
  keep(tray);
  draw(tray);
}

function legOf(button) {
  const row = button.closest("[data-symbol]");
  return {
    exchange: row.dataset.exchange,
    symbol: row.dataset.symbol,
    label: row.dataset.label,
    side: button.dataset.take,
  };
}

function start(tray) {
  load(tray);
  draw(tray);
  document.addEventListener("click", (event) => {
    const take = event.target.closest?.("[data-take]");
    if (take) change(tray, addLeg(legs, legOf(take)));
    const drop = event.target.closest?.("[data-drop-leg]");
    if (drop) change(tray, legs.filter((_, at) => at !== Number(drop.dataset.dropLeg)));
    if (event.target.closest?.("[data-basket-clear]")) change(tray, []);
  });
  tray.addEventListener("change", (event) => {
    const position = event.target.dataset.lotsOf;
    if (position !== undefined) change(tray, setLots(legs, Number(position), Number(event.target.value)));
  });
}

// On a narrow screen the strike is what to see first, with both sides beside it.
function centre(box) {
  const strike = box.querySelector("tr.atm .strike") ?? box.querySelector(".strike");
  if (!strike || box.scrollWidth <= box.clientWidth) return;
  box.scrollLeft = strike.offsetLeft + strike.offsetWidth / 2 - box.clientWidth / 2;
}

for (const table of document.querySelectorAll(".data.chain")) centre(table.parentElement);
const tray = document.querySelector("[data-basket-tray]");
if (tray) start(tray);

// The money is in the middle of the list; the page opens there.
function showMoney() {
  const box = document.querySelector(".table-box:has(.chain)");
  const atm = box?.querySelector("tr.atm th.strike");
  if (!atm) return;
  box.scrollTop = atm.offsetTop - box.clientHeight / 2;
  box.scrollLeft = atm.offsetLeft - (box.clientWidth - atm.offsetWidth) / 2;
}

showMoney();

// When spot moves the rows are read again with others at the ends; what was looked at stays where it was.
let looked = null;

function rowOf(strike) {
  return [...document.querySelectorAll("#chain-rows tr")].find((row) => row.querySelector(".strike a")?.textContent === strike);
}

function topRow(box) {
  const hidden = box.scrollTop + box.querySelector("thead").offsetHeight;
  return [...box.querySelectorAll("#chain-rows tr")].find((row) => row.offsetTop >= hidden);
}

document.body.addEventListener("htmx:beforeSwap", (event) => {
  const box = event.target.id === "chain-rows" ? event.target.closest(".table-box") : null;
  const row = box && topRow(box);
  looked = row ? { scrolled: box.scrollTop, above: row.offsetTop - box.scrollTop, strike: row.querySelector(".strike a").textContent } : null;
});

document.body.addEventListener("htmx:afterSwap", () => {
  const box = document.querySelector("#chain-rows")?.closest(".table-box");
  if (!looked || !box) return;
  const row = rowOf(looked.strike);
  box.scrollTop = row ? row.offsetTop - looked.above : looked.scrolled;
  looked = null;
});
