// Events that matter stay here until somebody acknowledges them.

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function localLink(url) {
  return typeof url === "string" && /^\/(?!\/)/.test(url) ? url : null;
}

function count(change) {
  for (const badge of document.querySelectorAll("[data-alarm-count]")) {
    const next = Math.max(0, Number(badge.textContent || 0) + change);
    badge.textContent = String(next);
    badge.hidden = next === 0;
  }
}

function acknowledgeForm(notice) {
  const form = element("form");
  form.method = "post";
  form.action = notice.ack;
  form.dataset.ack = "";
  form.append(element("button", "btn btn-xs", "Acknowledge"));
  return form;
}

function render(notice) {
  const row = element("li", "event");
  row.dataset.event = notice.id ?? "";
  row.append(element("span", `dot ${notice.severity === "info" ? "dot-slow" : "dot-down"}`));
  row.append(element("p", "", notice.text));
  const at = new Date(notice.at);
  const time = element("time", "quiet", at.toLocaleTimeString("en-IN", { timeZone: "Asia/Kolkata", hour12: false }));
  time.dateTime = notice.at;
  row.append(time);
  const acts = element("div", "event-acts");
  const url = localLink(notice.url);
  if (url) {
    const link = element("a", "btn btn-xs btn-ghost", "Open");
    link.href = url;
    acts.append(link);
  }
  if (localLink(notice.ack)) acts.append(acknowledgeForm(notice));
  row.append(acts);
  return row;
}

export function addEvent(notice) {
  const list = document.querySelector("[data-tray-list]");
  if (!list || (notice.id && list.querySelector(`[data-event="${CSS.escape(String(notice.id))}"]`))) return;
  list.prepend(render(notice));
  document.querySelector("[data-tray-empty]")?.setAttribute("hidden", "");
  count(1);
  const spoken = document.querySelector("[data-tray-spoken]");
  if (spoken) spoken.textContent = notice.text;
}

function token() {
  return JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRFToken"] ?? "";
}

// The row leaves only when the server has written the acknowledgement.
async function acknowledge(form) {
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", headers: { "X-CSRFToken": token() } });
    if (!answer.ok) throw new Error(String(answer.status));
    const row = form.closest(".event");
    const list = row.parentElement;
    row.remove();
    count(-1);
    if (!list.children.length) document.querySelector("[data-tray-empty]")?.removeAttribute("hidden");
  } catch {
    button.disabled = false;
    button.textContent = "Not acknowledged, try again";
  }
}

export function start() {
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-ack]");
    if (!form) return;
    event.preventDefault();
    acknowledge(form);
  });
}
