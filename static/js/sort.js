// A click on a heading of a table with data-sort orders its rows by that column; a second click turns the order round.
// What was chosen is kept while the table is read again, and no longer than the page.

const chosen = new Map();
const NUMBER = /([+−-]?)\s*₹?\s*([\d,]+(?:\.\d+)?)/;

export function valueOf(cell) {
  const given = cell?.dataset.sortValue ?? cell?.querySelector("time")?.getAttribute("datetime");
  if (given) return given;
  // A short form ("₹1.2 Cr") carries the whole amount in its title.
  const text = (cell?.querySelector("[title*='₹']")?.title ?? cell?.textContent ?? "").trim();
  if (!cell?.classList.contains("r")) return text.toLowerCase();
  const found = NUMBER.exec(text);
  if (!found) return null;
  const size = Number(found[2].replaceAll(",", ""));
  return found[1] === "" || found[1] === "+" ? size : -size;
}

// What is not known comes last, whichever way round.
export function compare(a, b, sign) {
  if (a === null || a === "") return b === null || b === "" ? 0 : 1;
  if (b === null || b === "") return -1;
  return sign * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en-IN", { numeric: true }));
}

function nameOf(table) {
  return table.closest("[aria-label]")?.getAttribute("aria-label") ?? table.caption?.textContent ?? "";
}

function arrange(table, at, sign) {
  const body = table.tBodies[0];
  // A row with data-child belongs to the one above it and goes where that goes.
  const groups = [];
  for (const row of body.rows) {
    if ("child" in row.dataset && groups.length) groups.at(-1).rows.push(row);
    else groups.push({ value: valueOf(row.cells[at]), rows: [row] });
  }
  groups.sort((a, b) => compare(a.value, b.value, sign));
  body.append(...groups.flatMap((group) => group.rows));
  [...table.tHead.rows[0].cells].forEach((head, n) => {
    if (n === at) head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    else head.removeAttribute("aria-sort");
  });
}

function dress(table) {
  if (table.dataset.sort === "on" || !table.tHead) return;
  table.dataset.sort = "on";
  [...table.tHead.rows[0].cells].forEach((head) => {
    if (!head.textContent.trim() || head.querySelector(".sr-only, button")) return;
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "sort" });
    button.append(...head.childNodes);
    head.append(button);
  });
  const kept = chosen.get(nameOf(table));
  if (kept) arrange(table, kept.at, kept.sign);
}

// Cards on a phone have no headings to click, and none that a key should stop at.
const NARROW = matchMedia("(max-width: 767px)");

function dressAll() {
  if (NARROW.matches) return;
  for (const table of document.querySelectorAll("table[data-sort]")) dress(table);
}

function choose(event) {
  const head = event.target.closest?.("table[data-sort] th .sort")?.closest("th");
  if (!head) return;
  const table = head.closest("table");
  // Numbers are looked at from the largest, words from the first.
  const first = head.classList.contains("r") ? -1 : 1;
  const sort = head.getAttribute("aria-sort");
  const sign = sort === null ? first : sort === "ascending" ? -1 : 1;
  chosen.set(nameOf(table), { at: head.cellIndex, sign });
  arrange(table, head.cellIndex, sign);
}

export function start() {
  document.addEventListener("click", choose);
  document.body.addEventListener("htmx:afterSettle", dressAll);
  dressAll();
}
