// Alarms as notifications of the browser, where the person allowed them. Every open page hears; the tag shows each once.

export function shout(message) {
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  const shown = new Notification(message.subject ?? "AlgoMirror", { body: message.text ?? "", tag: `${message.subject}${message.text}` });
  shown.addEventListener("click", () => {
    window.focus();
    if (/^\/(?!\/)/.test(message.url ?? "")) window.location.assign(message.url);
  });
}

export function start() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-notify]");
    if (!button) return;
    const answer = "Notification" in window ? await Notification.requestPermission() : "denied";
    button.textContent = answer === "granted" ? "This browser will notify" : "This browser does not allow it";
  });
}
