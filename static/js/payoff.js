// Payoff over the index: <div class="chart" data-payoff='{"x": [], "expiry": [], "now": [], "spot": 0, "breakevens": []}'>.
// Numbers come from the server as they are shown; nothing is computed here. uPlot is loaded by the page before this module.

import { money } from "./format.js";

const HEIGHT = 260;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function rupee(value) {
  return value === null || value === undefined ? "–" : money(String(value));
}

function markers(curve) {
  return (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.font = `${11 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
    const line = (x, name, label) => {
      const at = plot.valToPos(x, "x", true);
      ctx.strokeStyle = colour(name);
      ctx.fillStyle = colour(name);
      ctx.beginPath();
      ctx.moveTo(at, bbox.top);
      ctx.lineTo(at, bbox.top + bbox.height);
      ctx.stroke();
      ctx.fillText(label, at + 4, bbox.top + 12 * devicePixelRatio);
    };
    ctx.setLineDash([3, 3]);
    line(curve.spot, "--am-muted", `index ${curve.spot}`);
    const zero = plot.valToPos(0, "y", true);
    ctx.strokeStyle = colour("--am-line-strong");
    ctx.beginPath();
    ctx.moveTo(bbox.left, zero);
    ctx.lineTo(bbox.left + bbox.width, zero);
    ctx.stroke();
    ctx.restore();
  };
}

function options(curve, width) {
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { font, stroke: colour("--am-muted"), grid: { stroke: colour("--am-line"), width: 1 }, ticks: { show: false } };
  return {
    width,
    height: HEIGHT,
    scales: { x: { time: false } },
    axes: [
      { ...axis, size: 30 },
      { ...axis, size: 84, values: (_, ticks) => ticks.map((tick) => rupee(tick).replace(/\.00$/, "")) },
    ],
    series: [
      { label: "Index", value: (_, level) => level?.toFixed(2) ?? "–" },
      { label: "At expiry", stroke: colour("--color-primary"), width: 2, points: { show: false }, value: (_, value) => rupee(value) },
      { label: "Now", stroke: colour("--am-warn"), width: 1.5, dash: [6, 4], points: { show: false }, value: (_, value) => rupee(value) },
    ],
    hooks: { draw: [markers(curve)] },
  };
}

export function columns(curve) {
  return [curve.x, curve.expiry, curve.now];
}

function draw(box) {
  const curve = JSON.parse(box.dataset.payoff);
  box.plot?.destroy();
  box.plot = new globalThis.uPlot(options(curve, Math.max(box.clientWidth, 240)), columns(curve), box);
}

function start() {
  for (const box of document.querySelectorAll("[data-payoff]")) {
    if (box.plot) continue;
    draw(box);
    new ResizeObserver(() => box.plot?.setSize({ width: Math.max(box.clientWidth, 240), height: HEIGHT })).observe(box);
  }
}

start();
document.body.addEventListener("htmx:load", start);
document.addEventListener("am:theme", () => {
  for (const box of document.querySelectorAll("[data-payoff]")) draw(box);
});
