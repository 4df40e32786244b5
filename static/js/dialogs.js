// Dialogs: [data-dialog="id"] opens, [data-close] closes. Steps inside: [data-step] with [data-to-step="n"].
// The last step of a dangerous act is armed only after a moment, so that a double click cannot do both steps.

const ARM_MS = 700;

function showStep(dialog, number) {
  for (const step of dialog.querySelectorAll("[data-step]")) step.hidden = step.dataset.step !== String(number);
  const shown = dialog.querySelector(`[data-step="${number}"]`);
  const heading = shown?.querySelector("[data-step-focus]") ?? shown?.querySelector("button, input, select");
  heading?.focus();
  for (const button of shown?.querySelectorAll("[data-armed]") ?? []) arm(button);
}

function arm(button) {
  button.disabled = true;
  setTimeout(() => {
    if (!button.closest("[hidden]")) button.disabled = false;
  }, ARM_MS);
}

export function open(dialog, opener) {
  if (!dialog || dialog.open) return;
  // What was typed for another object must not count for this one.
  for (const field of dialog.querySelectorAll("[data-fresh]")) {
    if (field.type === "checkbox") field.checked = false;
    else if ("value" in field) field.value = "";
    else field.replaceChildren();
  }
  fillFrom(dialog, opener);
  for (const outcome of dialog.querySelectorAll("[data-outcome]")) outcome.replaceChildren();
  dialog.showModal();
  dialog.dispatchEvent(new CustomEvent("am:opened", { bubbles: true }));
  if (dialog.querySelector("[data-step]")) showStep(dialog, 1);
}

// An opener may name the object: data-fill-run="12" is copied into [data-fill="run"] (text or value).
function fillFrom(dialog, opener) {
  for (const target of dialog.querySelectorAll("[data-fill]")) {
    const name = `fill${target.dataset.fill[0].toUpperCase()}${target.dataset.fill.slice(1)}`;
    const given = opener?.dataset[name];
    if (given === undefined) continue;
    if ("value" in target) target.value = given;
    else target.textContent = given;
  }
}

// Kill switch: the first click chooses the level, the second says yes to the whole sentence.
function chooseLevel(button) {
  const dialog = button.closest("dialog");
  const scope = dialog.querySelector("[data-kill-scope]");
  const where = scope?.selectedOptions?.[0]?.textContent.trim() ?? "everything";
  const level = dialog.querySelector("[data-kill-level]");
  level.value = button.dataset.level;
  level.dispatchEvent(new Event("input", { bubbles: true }));
  dialog.querySelector("[data-kill-sentence]").textContent = `${button.dataset.effect} Scope: ${where}.`;
  dialog.querySelector("[data-kill-final]").textContent = `${button.dataset.word}: ${where}`;
  showStep(dialog, 2);
}

export function start() {
  document.addEventListener("click", (event) => {
    const target = event.target.closest?.("[data-dialog], [data-close], [data-to-step], [data-level]");
    if (!target) return;
    // A middle click or a modified one still opens the page behind the link.
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    if (target.dataset.dialog) {
      const dialog = document.getElementById(target.dataset.dialog);
      if (!dialog) return;
      event.preventDefault();
      open(dialog, target);
    } else if (target.dataset.close !== undefined) target.closest("dialog")?.close();
    else if (target.dataset.level) chooseLevel(target);
    else showStep(target.closest("dialog"), target.dataset.toStep);
  });
  document.body.addEventListener("am:close-dialog", () => document.querySelector("dialog[open]")?.close());
}
