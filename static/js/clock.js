// The server's time, so that ages do not depend on the visitor's clock.

let offset = 0;

export function noteServerTime(ms) {
  if (Number.isFinite(ms)) offset = ms - Date.now();
}

export function now() {
  return Date.now() + offset;
}

noteServerTime(Number(document.querySelector('meta[name="am-now"]')?.content || NaN));
