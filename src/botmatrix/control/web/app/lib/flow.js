// The matrix as a graph: who is there, what leads where, and how much goes along each way now. No drawing here.
const MOST = 24;
const WINDOW = 5000;

// bots, workers: as the live view has them (it lists some hundred bots, of `inAll`); parts: of readyz; lanes: of api/queues. Answers {nodes, edges}.
export function matrix({ bots, inAll, workers, parts, lanes }) {
  const nexuses = parts.filter((one) => one.part === "nexus" && one.alive);
  const nodes = [];
  const edges = new Map();
  const tie = (from, to) => edges.set(`${from}>${to}`, { id: `${from}>${to}`, from, to });
  const all = nexuses.map((one) => `nexus:${one.id}`);
  for (const one of nexuses) nodes.push({ id: `nexus:${one.id}`, kind: "nexus", name: one.id.split(".")[0], state: "alive", page: "dashboard" });
  for (const one of shortened(bots, "bot", "bots", (bot) => Number(bot.received) || 0, inAll)) {
    nodes.push(one);
    const at = `nexus:${one.of?.nexus}`;
    if (all.includes(at)) tie(one.id, at);
    else if (!one.of && all.length) tie(one.id, all[0]);
  }
  const streams = workers.filter((one) => (one.transport || "stream") === "stream");
  for (const one of shortened(workers, "worker", "workers", (worker) => Number(worker.handled) || 0)) nodes.push(one);
  const shown = new Set(nodes.map((one) => one.id));
  for (const worker of workers.filter((one) => shown.has(`worker:${one.id}`))) {
    if (!streams.includes(worker)) for (const nexus of all) tie(nexus, `worker:${worker.id}`);
  }
  for (const { lane, owner, worker, backlog, alive } of lanes.map((one) => ({ ...one, worker: `worker:${ownerOf(one, workers)}` }))) {
    if (!backlog && !shown.has(worker)) continue;
    nodes.push({ id: `lane:${lane}`, kind: "lane", name: lane, count: backlog, state: alive || !backlog ? "fine" : "waiting", page: "queues" });
    for (const nexus of all) tie(nexus, `lane:${lane}`);
    if (owner && shown.has(worker)) tie(`lane:${lane}`, worker);
  }
  return { nodes, edges: [...edges.values()] };
}

// A lane says which incarnation of a worker reads it; one that was adopted is read by another than its namesake.
const ownerOf = (lane, workers) => workers.find((one) => one.incarnation === lane.owner)?.id || "";

// The busiest ones, and one node for the rest.
function shortened(all, kind, page, busy, inAll = 0) {
  const ranked = all.length > MOST ? [...all].sort((one, other) => busy(other) - busy(one)) : all;
  const found = ranked.slice(0, MOST).map((one) => {
    const name = one.bot || one.id;
    return { id: `${kind}:${name}`, kind, name: one.nickname ? `${one.nickname}\n${name}` : name, state: one.state || (one.draining === "1" ? "draining" : "alive"), page, thing: one.bot, of: one };
  });
  const rest = Math.max(all.length, inAll) - found.length;
  return rest > 0 ? [...found, { id: `${kind}:…`, kind, name: `+ ${rest}`, more: true, state: "", page }] : found;
}

// Which edges an event goes along. `nexusOf(bot)` is where a bot is now.
export function ways(hop, nexusOf) {
  if (hop.part === "heard") {
    const first = { id: `bot:${hop.bot}>nexus:${hop.nexus}`, forth: true };
    return hop.lane ? [first, { id: `nexus:${hop.nexus}>lane:${hop.lane}`, forth: true }, { id: `nexus:${hop.nexus}>worker:${hop.lane}`, forth: true }] : [first];
  }
  if (hop.part === "ran") return [{ id: `lane:${hop.lane}>worker:${hop.worker}`, forth: true }];
  return hop.part === "acted" ? [{ id: `bot:${hop.bot}>nexus:${nexusOf(hop.bot)}`, forth: false }] : [];
}

// How much went along each edge in the last five seconds.
export class Flow {
  constructor() {
    this.known = new Map();
  }

  add({ id, forth }, now) {
    const one = this.known.get(id) || { times: 0, since: now };
    if (now - one.since > WINDOW) Object.assign(one, { times: one.times / 2, since: now - WINDOW / 2 });
    Object.assign(one, { times: one.times + 1, last: now, forth });
    this.known.set(id, one);
  }

  // Edges that were used within `age` ms.
  active(now, age) {
    return [...this.known].filter(([, one]) => now - one.last < age);
  }

  // Per second; 0 for what rests.
  rate(id, now) {
    const one = this.known.get(id);
    return one && now - one.last < WINDOW ? one.times / Math.max(1, (now - one.since) / 1000) : 0;
  }
}
