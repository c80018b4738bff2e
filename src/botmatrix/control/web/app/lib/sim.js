// The simulated bot of the chat page: one WebSocket, and what was said over it while the console is open (docs/rest.md).
import { ask } from "./api.js";
import { signal } from "./html.js";
import { watch } from "./live.js";

const LOGIN_ENDED = 4001;
const SUPERSEDED = 4002;
const AGAIN_AFTER = 3000;
const KEPT = 300;

// state: closed, opening, open, elsewhere; cast: {bot, self_id, people, groups}; lines: what was said, oldest first.
export const sim = { state: signal("closed"), cast: signal(null), lines: signal([]), trouble: signal("") };
const events = new Map();
let socket = null;
let last = 0;

// Opens it, and returns what closes it.
export function attend() {
  open();
  const leave = watch((batch) => batch.hops.forEach(follow));
  return () => {
    leave();
    const former = socket;
    socket = null;
    former?.close();
    sim.state.value = "closed";
  };
}

export function open() {
  sim.state.value = "opening";
  const address = new URL("api/sim", document.baseURI);
  address.protocol = address.protocol.replace("http", "ws");
  const opened = new WebSocket(address);
  socket = opened;
  opened.onmessage = (event) => socket === opened && took(JSON.parse(event.data));
  opened.onclose = (event) => socket === opened && closed(event);
}

// message: OneBot segments. Answers false while there is no link.
export function say(conv, user, message) {
  if (sim.state.value !== "open") return false;
  const [kind, number] = conv.split(":");
  const key = String((last += 1));
  add({ key, conv, user, message, at: Date.now() });
  socket.send(JSON.stringify({ user, group: kind === "group" ? Number(number) : 0, message, key }));
  return true;
}

export const forget = () => { sim.lines.value = []; };

const add = (line) => { sim.lines.value = [...sim.lines.value, line].slice(-KEPT); };
const change = (fits, changed) => { sim.lines.value = sim.lines.value.map((one) => (fits(one) ? { ...one, ...changed(one) } : one)); };

function took(told) {
  if (told.type === "ready") {
    sim.cast.value = told;
    sim.state.value = "open";
    sim.trouble.value = "";
  } else if (told.type === "heard") change((one) => one.key === told.key, () => ({ id: told.message_id }));
  else if (told.type === "said") add({ conv: told.group ? `group:${told.group}` : `private:${told.user}`, bot: true, id: told.message_id, message: told.message, at: Date.now() });
  else if (told.type === "did") did(told);
  else if (told.type === "refused") sim.trouble.value = told.why;
}

function did(told) {
  if (told.done) change((one) => one.id === told.params.message_id, () => ({ gone: true }));
  const { group_id: group, user_id: user } = told.params;
  const conv = group ? `group:${group}` : user ? `private:${user}` : "";
  add({ conv, note: `${told.action} ${JSON.stringify(told.params)}`.slice(0, 300), done: told.done, at: Date.now() });
}

async function closed(event) {
  socket = null;
  sim.state.value = event.code === SUPERSEDED ? "elsewhere" : "closed";
  if (event.code === SUPERSEDED) return;
  if (event.code === LOGIN_ENDED || event.code === 1006) await ask("api/me").catch(() => {});
  setTimeout(() => { if (!socket && sim.state.value === "closed" && attended()) open(); }, AGAIN_AFTER);
}

const attended = () => location.hash.startsWith("#/chat");

// What became of a line, from the live view: which event it is, and how that ended.
function follow(hop) {
  const mine = hop.part === "heard" && hop.bot === sim.cast.value?.bot;
  if (mine) {
    events.set(hop.id, Number(hop.message_id));
    if (events.size > KEPT) events.delete(events.keys().next().value);
    change((one) => !one.bot && one.id === Number(hop.message_id), () => ({ event: hop.id, outcome: hop.reason ? "blocked" : "under_way", reason: hop.reason || "" }));
  } else if (hop.part === "ran" && events.has(hop.id)) {
    const outcome = { dead: "failed", retry: "under_way" }[hop.outcome] || (hop.actions ? "answered" : "silent");
    change((one) => one.event === hop.id && one.outcome !== "answered", () => ({ outcome }));
  } else if (hop.part === "acted" && events.has(hop.id)) {
    change((one) => one.event === hop.id, () => ({ outcome: hop.state === "DONE" ? "answered" : "failed" }));
  }
}
