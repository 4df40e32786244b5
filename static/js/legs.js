// The basket as pure data: a click adds one lot, the opposite click takes one away.

export function sameContract(a, b) {
  return a.exchange === b.exchange && a.symbol === b.symbol;
}

export function addLeg(legs, click) {
  const held = legs.find((leg) => sameContract(leg, click));
  if (!held) return [...legs, { ...click, lots: click.lots ?? 1 }];
  const signed = (leg) => (leg.side === "BUY" ? leg.lots : -leg.lots);
  const net = signed(held) + signed({ ...click, lots: click.lots ?? 1 });
  const others = legs.map((leg) => (leg === held ? { ...held, side: net > 0 ? "BUY" : "SELL", lots: Math.abs(net) } : leg));
  return net === 0 ? others.filter((leg) => leg.lots !== 0) : others;
}

export function setLots(legs, position, lots) {
  if (!Number.isInteger(lots) || lots < 0) return legs;
  return legs.map((leg, at) => (at === position ? { ...leg, lots } : leg)).filter((leg) => leg.lots > 0);
}

// What is posted: the choice, never the price seen. The server reads prices itself when it makes the plan.
export function posted(legs) {
  return JSON.stringify(legs.map(({ exchange, symbol, side, lots }) => ({ exchange, symbol, side, lots })));
}
