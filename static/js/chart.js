// P&L line with its stop lines: <div class="chart" data-chart="pnl" data-src="/runs/12/pnl.json" data-refresh="run:12">.
// JSON: {"t": [epoch seconds], "pnl": ["-1250.00", null, …], "lines": [{"label", "value", "kind"}], "marks": [{"t", "label"}]}.
// uPlot is loaded by the page (static/vendor/uplot.min.js) before this module.

import { money } from "./format.js";

const HEIGHT = 240;
const DAYS = [1, 2, 7, 14, 30, 61, 91, 182, 365].map((days) => days * 86400);
// No tick is nearer to the next than the second that it shows.
const WITHIN_DAYS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200];
const KINDS = { loss: "--am-loss", profit: "--am-profit", stop: "--am-warn" };

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Numbers only for drawing; a hole stays a hole, it is never joined or put at zero.
export function columns(series) {
  const drawn = (value) => (value === null ? null : Number(value));
  const flat = (series.lines ?? []).map((line) => series.t.map(() => Number(line.value)));
  const below = series.drawdown ? [series.drawdown.map(drawn)] : [];
  return [series.t, series.pnl.map(drawn), ...below, ...flat];
}

// One moment has no extent: an axis drawn for it would show times that were not.
export function hasExtent(series) {
  return series.t.length > 1 && series.t.at(-1) > series.t[0];
}

function istClock(seconds, withSeconds) {
  return new Date(seconds * 1000).toLocaleTimeString("en-IN", {
    timeZone: "Asia/Kolkata",
    hour: "2-digit",
    minute: "2-digit",
    second: withSeconds ? "2-digit" : undefined,
    hour12: false,
  });
}

function istDay(seconds) {
  return new Date(seconds * 1000).toLocaleDateString("en-IN", { timeZone: "Asia/Kolkata", day: "numeric", month: "short" });
}

function markHook(marks) {
  return (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.fillStyle = colour("--am-muted");
    ctx.font = `${11 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textAlign = "left";
    ctx.textBaseline = "alphabetic";
    ctx.strokeStyle = colour("--am-line-strong");
    ctx.setLineDash([2, 3]);
    for (const mark of marks) {
      const x = plot.valToPos(mark.t, "x", true);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.fillText(mark.label, x + 4, bbox.top + 12);
    }
    ctx.restore();
  };
}

function options(series, width, box) {
  const isDays = box.dataset.axis === "days";
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { font, stroke: colour("--am-muted"), grid: { stroke: colour("--am-line"), width: 1 }, ticks: { show: false } };
  const rupee = (value) => (value === null || value === undefined ? "–" : money(String(value)));
  const lines = (series.lines ?? []).map((line) => ({
    label: line.label,
    stroke: colour(KINDS[line.kind] ?? "--am-muted"),
    dash: [6, 4],
    width: 1.5,
    points: { show: false },
    value: (_, value) => rupee(value),
  }));
  const below = series.drawdown
    ? [{ label: "Below the best", stroke: colour("--am-loss"), width: 1, points: { show: false }, value: (_, value) => rupee(value) }]
    : [];
  return {
    width,
    height: HEIGHT,
    cursor: { drag: { x: true, y: false } },
    scales: { x: { time: true } },
    axes: [
      { ...axis, size: 30, incrs: isDays ? DAYS : [...WITHIN_DAYS, ...DAYS], values: (_, ticks, __, ___, apart) => ticks.map((tick) => (isDays ? istDay(tick) : istClock(tick, apart < 60))) },
      { ...axis, size: 76, values: (_, ticks) => ticks.map((tick) => rupee(tick).replace(/\.00$/, "")) },
    ],
    series: [
      { label: isDays ? "Day" : "Time", value: (_, seconds) => (seconds ? (isDays ? istDay(seconds) : istClock(seconds, true)) : "–") },
      { label: box.dataset.name ?? "P&L", stroke: colour("--color-primary"), width: 2, spanGaps: false, points: { show: false }, value: (_, value) => rupee(value) },
      ...below,
      ...lines,
    ],
    hooks: { draw: [markHook(series.marks ?? [])] },
  };
}

function describe(box, series, isDrawn) {
  const last = series.pnl.findLast((value) => value !== null);
  const note = box.parentElement.querySelector("[data-chart-note]");
  const name = box.dataset.name ?? "P&L";
  const measured = last === undefined ? `No ${name} has been measured yet.` : `Last measured ${name} ${money(last)}.`;
  const said = isDrawn ? measured : `${measured} The line begins with the second measurement.`;
  if (note) note.textContent = said;
  box.setAttribute("aria-label", `${name} over time. ${said}`);
}

async function draw(box) {
  const note = box.parentElement.querySelector("[data-chart-note]");
  let series;
  try {
    const answer = await fetch(box.dataset.src, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    series = await answer.json();
  } catch {
    if (note) note.textContent = "The chart could not be read. The numbers in the tables are not affected.";
    return;
  }
  const isDrawn = hasExtent(series);
  box.plot?.destroy();
  box.hidden = !isDrawn;
  box.plot = isDrawn ? new globalThis.uPlot(options(series, box.clientWidth, box), columns(series), box) : undefined;
  describe(box, series, isDrawn);
}

function start(box) {
  draw(box);
  new ResizeObserver(() => box.plot?.setSize({ width: box.clientWidth, height: HEIGHT })).observe(box);
  document.addEventListener("am:theme", () => draw(box));
  if (box.dataset.every) setInterval(() => document.hidden || draw(box), Number(box.dataset.every) * 1000);
  if (box.dataset.refresh) document.body.addEventListener(`am:${box.dataset.refresh}`, () => draw(box));
}

for (const box of document.querySelectorAll('[data-chart="pnl"]')) start(box);
