// Forms that can reach a broker: one key per intention, and no second click before the outcome.
// The key stays the same when the same form is sent again, so the server can show the first outcome.
// Another intention gets another key: a field changed after sending, or a dialog opened again after an answer.
// Without an answer (network lost) the key stays, because nobody knows whether the first one arrived.

function newKey() {
  return crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

function keyField(form) {
  let field = form.querySelector('input[name="idempotency_key"]');
  if (!field) {
    field = document.createElement("input");
    field.type = "hidden";
    field.name = "idempotency_key";
    form.append(field);
  }
  return field;
}

export function renewKey(form) {
  keyField(form).value = newKey();
  delete form.dataset.sent;
  delete form.dataset.answered;
}

export function prepare(root = document) {
  const forms = root.matches?.("form[data-money]") ? [root] : root.querySelectorAll("form[data-money]");
  for (const form of forms) if (!form.querySelector('input[name="idempotency_key"]')?.value) renewKey(form);
}

function buttons(form) {
  return [...form.elements].filter((control) => control.type === "submit");
}

function hold(form) {
  form.dataset.waiting = "";
  form.dataset.sent = "";
  form.setAttribute("aria-busy", "true");
  // After the browser has read the form: a disabled button would drop out of what is sent.
  setTimeout(() => {
    for (const button of buttons(form)) button.disabled = form.dataset.waiting !== undefined;
  });
}

function release(form, answered) {
  delete form.dataset.waiting;
  if (answered) form.dataset.answered = "";
  form.removeAttribute("aria-busy");
  for (const button of buttons(form)) button.disabled = false;
}

function moneyForm(target) {
  return target?.closest?.("form[data-money]") ?? null;
}

export function start() {
  prepare();
  document.body.addEventListener("htmx:load", (event) => prepare(event.detail.elt));
  document.addEventListener(
    "submit",
    (event) => {
      const form = moneyForm(event.target);
      if (!form) return;
      if (form.dataset.waiting !== undefined) {
        event.preventDefault();
        event.stopImmediatePropagation();
        return;
      }
      prepare(form);
      hold(form);
    },
    true,
  );
  document.body.addEventListener("htmx:afterRequest", (event) => {
    const form = moneyForm(event.detail.elt);
    if (form) release(form, event.detail.xhr?.status > 0);
  });
  document.addEventListener("input", (event) => {
    const form = moneyForm(event.target);
    if (form?.dataset.sent !== undefined && form.dataset.waiting === undefined) renewKey(form);
  });
  document.addEventListener("am:opened", (event) => {
    for (const form of event.target.querySelectorAll("form[data-money][data-answered]")) renewKey(form);
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-back]")) history.back();
  });
  // The back button restores the page as it was left, with the buttons still disabled.
  addEventListener("pageshow", (event) => {
    if (event.persisted) for (const form of document.querySelectorAll("form[data-money]")) release(form, false);
  });
}
