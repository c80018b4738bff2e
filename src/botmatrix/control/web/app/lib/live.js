// One live view for the whole console (docs/trace.md). It resumes by itself; nobody listens, nothing is asked.
import { signal } from "@preact/signals";
import { ask } from "./api.js";

export const live = { state: signal("closed"), bots: signal(null), workers: signal(null), counters: signal(null) };
const listeners = new Set();
let source = null;
let watchers = 0;

// Returns what ends the watching. `onHops` gets {hops, blocked, left_out}.
export function watch(onHops) {
  watchers += 1;
  if (onHops) listeners.add(onHops);
  if (!source) open();
  return () => {
    watchers -= 1;
    listeners.delete(onHops);
    if (!watchers) close();
  };
}

function open() {
  live.state.value = "opening";
  source = new EventSource("api/live");
  source.onopen = () => { live.state.value = "open"; };
  source.onerror = () => broken(source);
  source.addEventListener("end", () => { live.state.value = "opening"; });
  for (const name of ["bots", "workers", "counters"]) {
    source.addEventListener(name, (event) => { live[name].value = { at: Date.now(), data: JSON.parse(event.data) }; });
  }
  source.addEventListener("hops", (event) => {
    const batch = JSON.parse(event.data);
    for (const listener of listeners) listener(batch);
  });
}

function close() {
  source?.close();
  source = null;
  live.state.value = "closed";
}

// A browser gives up for good when it is refused: ask why (a login that ended shows itself), and try again.
function broken(which) {
  live.state.value = "opening";
  if (which.readyState !== EventSource.CLOSED || which !== source) return;
  source = null;
  setTimeout(async () => {
    await ask("api/me").catch(() => {});
    if (watchers && !source) open();
  }, 3000);
}

// A bot of somebody's chat page: it comes and goes with the page.
export const simulated = (bot) => bot.startsWith("sim:");
