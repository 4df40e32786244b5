// The ticket: a price type shows the prices it needs; the others are put away and not sent.

const NEEDS = { price: ["LIMIT", "SL"], trigger_price: ["SL", "SL-M"] };

function fit(form) {
  const chosen = form.elements.price_type?.value;
  if (!chosen) return;
  for (const [name, kinds] of Object.entries(NEEDS)) {
    const field = form.elements[name];
    if (!field) continue;
    const isNeeded = kinds.includes(chosen);
    field.disabled = !isNeeded;
    field.required = isNeeded;
    const box = field.closest(".field");
    if (box) box.hidden = !isNeeded;
  }
}

export function start(root = document) {
  for (const select of root.querySelectorAll('form select[name="price_type"]')) {
    fit(select.form);
    select.addEventListener("change", () => fit(select.form));
  }
}

start();
