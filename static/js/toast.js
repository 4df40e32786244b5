// Short notes about one's own acts. Events that matter go to the tray instead.
// Server side: the response header HX-Trigger: {"am:toast": {"text": "Saved", "kind": "info"}}.

const STAYS_MS = { info: 5000, success: 5000, warning: 8000, error: 8000 };

function arm(note) {
  const stays = STAYS_MS[note.dataset.kind] ?? STAYS_MS.info;
  let timer = setTimeout(() => note.remove(), stays);
  const hold = () => clearTimeout(timer);
  const release = () => {
    hold();
    timer = setTimeout(() => note.remove(), stays);
  };
  note.addEventListener("pointerenter", hold);
  note.addEventListener("focusin", hold);
  note.addEventListener("pointerleave", release);
  note.addEventListener("focusout", release);
  note.querySelector("button")?.addEventListener("click", () => note.remove());
}

export function toast(text, kind = "info") {
  const box = document.querySelector("[data-toasts]");
  if (!box) return;
  const note = document.createElement("div");
  note.className = `flash flash-${kind}`;
  note.dataset.kind = kind;
  const words = document.createElement("p");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "flash-close";
  close.setAttribute("aria-label", "Close this note");
  close.textContent = "×";
  note.append(words, close);
  box.append(note);
  arm(note);
}

function failed(event) {
  const status = event.detail.xhr?.status;
  if (event.detail.xhr?.getResponseHeader?.("HX-Trigger")) return;
  if (status === 429) toast("Too many requests. Wait a little and try again.", "error");
  else if (status === 403) toast("You are not allowed to do this, or the page is too old. Reload it.", "error");
  else toast(`The server answered ${status}. Look at the list before you send anything again.`, "error");
}

export function start() {
  for (const note of document.querySelectorAll("[data-toasts] .flash")) arm(note);
  document.body.addEventListener("am:toast", (event) => toast(event.detail.text, event.detail.kind));
  document.body.addEventListener("htmx:responseError", failed);
  document.body.addEventListener("htmx:sendError", () =>
    toast("No answer from the server. What you asked may or may not have happened: look before you repeat it.", "error"),
  );
}
