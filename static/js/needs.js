// A choice shows the fields it needs; the others are put away and not sent.

export function fit(select, needs, { required = true } = {}) {
  for (const [name, kinds] of Object.entries(needs)) {
    const field = select.form.elements[name];
    if (!field) continue;
    const isNeeded = kinds.includes(select.value);
    field.disabled = !isNeeded;
    if (required) field.required = isNeeded;
    const box = field.closest(".field");
    if (box) box.hidden = !isNeeded;
  }
}

export function follow(selector, needs, options) {
  for (const select of document.querySelectorAll(selector)) {
    fit(select, needs, options);
    select.addEventListener("change", () => fit(select, needs, options));
  }
}
