// Candles with overlays and own fills: <div data-candles="/charts/candles.json?…" data-candles-topic="symbols:…" data-timeframe="5">.
// lightweight-charts is loaded by the page before this module. The last price comes from the page's own live cells.

import { now } from "./clock.js";

const HEIGHT = 460;
const IST_S = 19800; // the library knows UTC only; times are moved for drawing
const READ_EVERY_MS = 15000;
const LONGEST_GAP_S = 4 * 3600;
const PANES = { rsi: 1, atr: 2 };

// Any colour CSS knows, as the six digits that the library understands.
function colour(name, box) {
  const probe = document.createElement("canvas");
  probe.width = probe.height = 1;
  const pen = probe.getContext("2d", { willReadFrequently: true });
  pen.fillStyle = getComputedStyle(box).getPropertyValue(name).trim() || "#888888";
  pen.fillRect(0, 0, 1, 1);
  const [red, green, blue] = pen.getImageData(0, 0, 1, 1).data;
  return `#${[red, green, blue].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

export function bar(candle) {
  const [open, high, low, close] = [candle.o, candle.h, candle.l, candle.c].map(Number);
  return { time: candle.t + IST_S, open, high, low, close };
}

export function line(candles, values) {
  return candles.map((candle, at) => {
    const value = values[at] ?? null;
    return value === null ? { time: candle.t + IST_S } : { time: candle.t + IST_S, value: Number(value) };
  });
}

// One line in two colours; drawn with steps, so that a turn is a step and not a slope.
export function turns(candles, trends, rise, fall) {
  return candles.map((candle, at) => {
    const trend = trends[at] ?? null;
    const time = candle.t + IST_S;
    return trend === null ? { time } : { time, value: Number(trend.v), color: trend.up ? rise : fall };
  });
}

// The start of the candle in which `seconds` lies, counted from a known one; null when too far from it.
export function slotOf(lastStart, seconds, width) {
  const gap = seconds - lastStart;
  return gap < 0 || gap > LONGEST_GAP_S ? null : lastStart + Math.floor(gap / width) * width;
}

// What the stream added to the last candle, over what the server knows of it.
export function merged(candle, forming) {
  if (!forming || forming.time !== candle.time) return candle;
  return { ...candle, high: Math.max(candle.high, forming.high), low: Math.min(candle.low, forming.low), close: forming.close };
}

class Picture {
  constructor(box) {
    this.box = box;
    this.width = Number(box.dataset.timeframe) * 60;
    this.forming = null;
    this.build();
    new ResizeObserver(() => this.chart.resize(box.clientWidth, HEIGHT)).observe(box);
  }

  build() {
    const lib = globalThis.LightweightCharts;
    const text = colour("--am-muted", this.box);
    const grid = { color: colour("--am-line", this.box) };
    this.chart?.remove();
    this.chart = lib.createChart(this.box, {
      width: this.box.clientWidth,
      height: HEIGHT,
      layout: { attributionLogo: false, background: { color: "transparent" }, textColor: text, fontFamily: getComputedStyle(document.body).fontFamily, panes: { separatorColor: grid.color } },
      grid: { vertLines: grid, horzLines: grid },
      timeScale: { timeVisible: true, secondsVisible: false, maxBarSpacing: 24, rightOffset: 3, borderColor: grid.color },
      rightPriceScale: { borderColor: grid.color },
      localization: { locale: "en-IN" },
    });
    const rise = colour("--am-profit", this.box);
    const fall = colour("--am-loss", this.box);
    this.candles = this.chart.addSeries(lib.CandlestickSeries, { upColor: rise, wickUpColor: rise, downColor: fall, wickDownColor: fall, borderVisible: false });
    this.marks = lib.createSeriesMarkers(this.candles, []);
    this.lines = new Map();
    this.fitted = 0;
  }

  overlay(name, points, shade) {
    if (!this.lines.has(name)) {
      const options = { color: colour(shade, this.box), lineWidth: 2, lineType: name === "supertrend" ? 1 : 0, priceLineVisible: false, lastValueVisible: name in PANES, title: name in PANES ? name.toUpperCase() : "" };
      this.lines.set(name, this.chart.addSeries(globalThis.LightweightCharts.LineSeries, options, PANES[name] ?? 0));
    }
    this.lines.get(name).setData(points);
  }

  show(read) {
    this.read = read;
    const bars = read.candles.map(bar);
    if (bars.length) bars.push(merged(bars.pop(), this.forming));
    if (this.forming && bars.length && this.forming.time > bars.at(-1).time) bars.push(this.forming);
    this.candles.setData(bars);
    const { supertrend, ema, vwap, rsi, atr } = read.overlays;
    if (supertrend) {
      const [rise, fall] = ["--am-profit", "--am-loss"].map((name) => colour(name, this.box));
      this.overlay("supertrend", turns(read.candles, supertrend, rise, fall), "--am-muted");
    }
    for (const [name, values, shade] of [["ema", ema, "--color-primary"], ["vwap", vwap, "--am-warn"], ["rsi", rsi, "--color-primary"], ["atr", atr, "--am-warn"]]) {
      if (values) this.overlay(name, line(read.candles, values), shade);
    }
    this.marks.setMarkers(read.marks.map((mark) => this.mark(mark)));
    // The first read may hold a few minutes only, until the history arrives.
    if (bars.length > this.fitted * 2) {
      this.chart.timeScale().fitContent();
      this.fitted = bars.length;
    }
    this.say();
  }

  mark(mark) {
    const buy = mark.action === "BUY";
    return { time: mark.t + IST_S, position: buy ? "belowBar" : "aboveBar", shape: buy ? "arrowUp" : "arrowDown", color: colour(buy ? "--am-profit" : "--am-loss", this.box), text: `${mark.action} ${mark.units} at ${mark.price}` };
  }

  say() {
    const { candles, coverage } = this.read;
    const note = document.querySelector("[data-candles-note]");
    const told = document.querySelector("[data-candles-coverage]");
    const last = candles.findLast((candle) => candle.closed);
    if (told) told.textContent = `${coverage.closed} closed candles: ${coverage.TICKS} from ticks, ${coverage.HISTORY} from history, ${coverage.MIXED} mixed; ${coverage.thin} not watched whole`;
    if (!note) return;
    note.textContent = last
      ? `Last closed candle: open ${last.o}, high ${last.h}, low ${last.l}, close ${last.c}; ${last.source.toLowerCase()}, ${last.covered} % watched${last.carried ? `, ${last.carried} minutes carried` : ""}.`
      : "No candle yet. Minutes are built from the stream and read from the broker's history.";
    this.box.setAttribute("aria-label", `Candles. ${note.textContent}`);
  }

  // The newest price of the whole structure; a leg that has none leaves the candle as it is.
  tick() {
    const weights = Object.entries(this.read?.weights ?? {});
    if (!weights.length || !this.read.candles.length) return;
    let value = 0;
    for (const [key, weight] of weights) {
      const cell = document.querySelector(`[data-leg="${CSS.escape(key)}"] [data-quote]`);
      const price = Number(cell?.textContent.replaceAll(",", "").trim());
      if (!cell || !Number.isFinite(price) || price <= 0 || cell.classList.contains("aged-down")) return;
      value += Number(weight) * price;
    }
    const last = this.read.candles.at(-1);
    const start = slotOf(last.t, Math.floor(now() / 1000), this.width);
    if (start === null) return;
    const time = start + IST_S;
    if (this.forming?.time === time) {
      const { open, high, low } = this.forming;
      this.forming = { time, open, high: Math.max(high, value), low: Math.min(low, value), close: value };
    } else {
      const known = start === last.t ? bar(last) : { open: value, high: value, low: value };
      this.forming = { time, open: known.open, high: Math.max(known.high, value), low: Math.min(known.low, value), close: value };
    }
    this.candles.update(this.forming);
  }
}

async function read(picture) {
  try {
    const answer = await fetch(picture.box.dataset.candles, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    picture.show(await answer.json());
  } catch (error) {
    console.error("candles not read", error);
    const note = document.querySelector("[data-candles-note]");
    if (note) note.textContent = "The candles could not be read. Prices in the table are not affected.";
  }
}

function start(box) {
  const picture = new Picture(box);
  read(picture);
  setInterval(() => document.hidden || read(picture), READ_EVERY_MS);
  document.body.addEventListener(`am:${box.dataset.candlesTopic}`, () => read(picture));
  document.addEventListener("am:theme", () => {
    picture.build();
    if (picture.read) picture.show(picture.read);
  });
  const watch = new MutationObserver(() => picture.tick());
  for (const cell of document.querySelectorAll("[data-leg]")) watch.observe(cell, { subtree: true, characterData: true, childList: true });
}

if (typeof document !== "undefined") for (const box of document.querySelectorAll("[data-candles]")) start(box);
