// The same words as algomirror/frame/templatetags/numbers.py, on decimal text: no float ever holds money.

export const UNKNOWN = "–";
const MINUS = "\u2212";

export function group(digits) {
  const tail = digits.slice(-3);
  const head = digits.slice(0, -3);
  return head ? `${head.replace(/\B(?=(\d\d)+$)/g, ",")},${tail}` : tail;
}

// {sign, text} of a decimal text rounded half up to `places`; null when it is no number.
export function rounded(value, places) {
  const match = /^([+-]?)(\d+)(?:\.(\d*))?$/.exec(String(value ?? "").trim());
  if (!match) return null;
  const fraction = (match[3] ?? "").padEnd(places + 1, "0");
  let scaled = BigInt(match[2] + fraction.slice(0, places));
  if (fraction[places] >= "5") scaled += 1n;
  const digits = scaled.toString().padStart(places + 1, "0");
  const whole = places ? digits.slice(0, -places) : digits;
  const text = places ? `${group(whole)}.${digits.slice(-places)}` : group(whole);
  const sign = scaled === 0n ? 0 : match[1] === "-" ? -1 : 1;
  return { sign, text };
}

function written(value, places, before = "", after = "", plus = "") {
  const number = rounded(value, places);
  if (number === null) return UNKNOWN;
  const sign = number.sign < 0 ? MINUS : number.sign > 0 ? plus : "";
  return `${sign}${before}${number.text}${after}`;
}

export const money = (value) => written(value, 2, "₹");
export const signedMoney = (value) => written(value, 2, "₹", "", "+");
export const price = (value) => written(value, 2);
export const whole = (value) => written(value, 0);
export const percent = (value) => written(value, 2, "", "%");
export const signedPercent = (value) => written(value, 2, "", "%", "+");
export const signedPrice = (value) => written(value, 2, "", "", "+");

export function moneyClass(value) {
  const number = rounded(value, 2);
  if (number === null) return "unknown";
  return number.sign > 0 ? "pnl pnl-up" : number.sign < 0 ? "pnl pnl-down" : "pnl pnl-flat";
}

// Exact difference of two decimal texts with at most four places, as text; null when either is missing.
export function difference(left, right) {
  const scaled = (value) => {
    const match = /^([+-]?)(\d+)(?:\.(\d{0,4})\d*)?$/.exec(String(value ?? "").trim());
    if (!match) return null;
    return BigInt(`${match[1] === "-" ? "-" : ""}${match[2]}${(match[3] ?? "").padEnd(4, "0")}`);
  };
  const a = scaled(left);
  const b = scaled(right);
  if (a === null || b === null) return null;
  const gap = a - b;
  const digits = (gap < 0n ? -gap : gap).toString().padStart(5, "0");
  return `${gap < 0n ? "-" : ""}${digits.slice(0, -4)}.${digits.slice(-4)}`;
}

export function ageText(seconds) {
  if (seconds === null || !Number.isFinite(seconds)) return UNKNOWN;
  const whole = Math.max(Math.floor(seconds), 0);
  if (whole >= 86400) return `${Math.floor(whole / 86400)} d`;
  if (whole >= 3600) return `${Math.floor(whole / 3600)} h`;
  if (whole >= 60) return `${Math.floor(whole / 60)} min`;
  return `${whole} s`;
}

// The share as an SVG width.
export function barWidth(share) {
  const number = Number(share);
  return `${Number.isFinite(number) ? Math.min(Math.max(number, 0), 100).toFixed(1) : 0}%`;
}
