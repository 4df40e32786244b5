// The builder's legs: a field that the chosen expiry, strike rule or order type does not use is hidden and emptied.
// Which choices need a field is said by the server in data-needed-by="strike_mode:ITM,OTM"; without scripts all are shown.

export function isNeeded(rule, valueOf) {
  const [name, choices] = rule.split(":");
  return choices.split(",").includes(valueOf(name));
}

function control(leg, name) {
  return leg.querySelector(`[data-field="${name}"] :is(input, select)`);
}

function show(leg) {
  const hidden = new Set();
  const valueOf = (name) => (hidden.has(name) ? "" : (control(leg, name)?.value ?? ""));
  // The strike rule first: what depends on it must see it hidden for a future.
  const ruled = [...leg.querySelectorAll("[data-needed-by]")].sort((a, b) => Number(b.name.endsWith("strike_mode")) - Number(a.name.endsWith("strike_mode")));
  for (const input of ruled) {
    const field = input.closest("[data-field]");
    const needed = isNeeded(input.dataset.neededBy, valueOf);
    field.hidden = !needed;
    if (needed) continue;
    hidden.add(field.dataset.field);
    if (input.tagName === "SELECT") input.selectedIndex = 0;
    else if (field.dataset.field === "strike_offset") input.value = "0";
    else if (field.dataset.field !== "tolerance") input.value = "";
  }
}

function showAll() {
  for (const leg of document.querySelectorAll("[data-leg]")) show(leg);
}

// The strikes of a leg open at the money, not at the first row.
function centre() {
  for (const row of document.querySelectorAll(".leg-strikes tr.atm")) {
    const box = row.closest(".table-box");
    if (!box || box.dataset.centred) continue;
    box.dataset.centred = "1";
    box.scrollTop = row.offsetTop - (box.clientHeight - row.offsetHeight) / 2;
  }
}

showAll();
document.addEventListener("change", (event) => {
  const leg = event.target.closest?.("[data-leg]");
  if (leg) show(leg);
});
document.body.addEventListener("htmx:load", () => {
  showAll();
  centre();
});
