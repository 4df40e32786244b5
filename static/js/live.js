// One socket per tab. Ticks are patched, everything else makes the page read again from the server.

import { noteServerTime, now } from "./clock.js";
import { forgetCells, takeTicks, takeValues } from "./patch.js";
import { shout } from "./notify.js";
import { addEvent } from "./tray.js";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30000;
const PING_MS = 20000;
const SILENT_MS = 45000;
const POLL_MS = 15000;
const SAY_SO_AFTER_MS = 3000;

let socket = null;
let failures = 0;
let wanted = new Set();
let heardAt = 0;
let poll = null;
let lastSeq = new Map();
let hadConnection = false;

export function waitBefore(attempt, random = Math.random) {
  const longest = Math.min(FIRST_WAIT_MS * 2 ** attempt, LONGEST_WAIT_MS);
  return Math.round(longest / 2 + (longest / 2) * random());
}

export function topicsIn(root) {
  const found = new Set();
  for (const element of root.querySelectorAll("[data-topics]")) {
    for (const topic of element.dataset.topics.split(/\s+/)) if (topic) found.add(topic);
  }
  return found;
}

// True when messages were lost between what we saw and this one.
export function isGap(before, seq) {
  return before !== undefined && Number.isFinite(seq) && seq > before + 1;
}

function tell(op, topic) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(topic ? { op, topic } : { op }));
}

function reread(topic) {
  document.body.dispatchEvent(new CustomEvent(`am:${topic}`, { detail: { topic } }));
}

function rereadAll() {
  for (const topic of wanted) reread(topic);
  document.body.dispatchEvent(new CustomEvent("am:poll"));
}

export function collectTopics() {
  const present = topicsIn(document);
  for (const topic of present) if (!wanted.has(topic)) tell("subscribe", topic);
  for (const topic of wanted) {
    if (present.has(topic)) continue;
    tell("unsubscribe", topic);
    lastSeq.delete(topic);
  }
  wanted = present;
  forgetCells();
}

export function receive(message) {
  const at = Date.parse(message.at);
  if (Number.isFinite(at)) noteServerTime(at);
  if (message.kind === "ticks") {
    takeTicks(message.q ?? {});
    return;
  }
  const lost = isGap(lastSeq.get(message.topic), message.seq);
  if (Number.isFinite(message.seq)) lastSeq.set(message.topic, message.seq);
  if (message.kind === "values") takeValues(message.v ?? {}, Number.isFinite(at) ? at : now());
  if (message.kind === "notice") addEvent(message);
  if (message.kind === "shout") shout(message);
  if (lost || message.kind === "changed") reread(message.topic);
}

function showLink(state) {
  const words = { live: "pushed live", slow: "connecting", down: "no push, reading every 15 s" };
  for (const element of document.querySelectorAll("[data-socket]")) {
    const dot = element.querySelector(".dot");
    if (dot) dot.className = `dot dot-${state}`;
    const word = element.querySelector("[data-socket-word]");
    if (word) word.textContent = words[state];
    element.title = words[state];
  }
  const note = document.querySelector("[data-socket-note]");
  if (note) note.hidden = state !== "down";
}

function opened() {
  failures = 0;
  heardAt = Date.now();
  lastSeq = new Map();
  clearInterval(poll);
  poll = null;
  showLink("live");
  for (const topic of wanted) tell("subscribe", topic);
  // Whatever happened while we were away is only in the database.
  if (hadConnection) rereadAll();
  hadConnection = true;
}

function closed() {
  socket = null;
  failures += 1;
  showLink("slow");
  poll ??= setInterval(rereadAll, POLL_MS);
  setTimeout(() => {
    if (socket?.readyState !== WebSocket.OPEN) showLink("down");
  }, SAY_SO_AFTER_MS);
  setTimeout(connect, waitBefore(failures - 1));
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const mine = new WebSocket(`${scheme}://${location.host}/ws`);
  socket = mine;
  mine.addEventListener("open", opened);
  mine.addEventListener("close", closed);
  mine.addEventListener("message", (event) => {
    heardAt = Date.now();
    try {
      receive(JSON.parse(event.data));
    } catch (error) {
      console.error("push message not understood", error);
    }
  });
}

// A dead network leaves the socket "open" for minutes; silence is what tells.
function checkPulse() {
  if (socket?.readyState !== WebSocket.OPEN) return;
  if (Date.now() - heardAt > SILENT_MS) socket.close();
  else tell("ping");
}

export function start() {
  if (document.body.dataset.live === undefined) return;
  wanted = topicsIn(document);
  document.body.addEventListener("htmx:afterSettle", collectTopics);
  document.body.addEventListener("am:topics", collectTopics);
  setInterval(checkPulse, PING_MS);
  showLink("slow");
  connect();
}
