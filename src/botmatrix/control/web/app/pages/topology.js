// The matrix as it stands: bots, nexuses, lanes and workers, and what goes between them now.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { rate, t, whole, word } from "../lib/i18n.js";
import { Flow, matrix, ways } from "../lib/flow.js";
import { live, watch } from "../lib/live.js";
import { go, link } from "../lib/route.js";
import { Empty, Head, Notice, State } from "../ui/basics.js";
import { Graph } from "../ui/graph.js";
import { Rows, useAnswer } from "../ui/table.js";
import { Tabs } from "../ui/tabs.js";

const KINDS = ["bot", "nexus", "lane", "worker"];
const LOOK_EVERY = 5;

export default function Topology({ thing }) {
  const parts = useAnswer("readyz", LOOK_EVERY);
  const lanes = useAnswer("api/queues?size=100", LOOK_EVERY);
  const bots = useAnswer("api/bots?size=1", LOOK_EVERY * 3);
  const flow = useFlow();
  const known = live.bots.value && live.workers.value && parts.answer && lanes.answer;
  const tabs = [{ to: "", name: t("drawing") }, { to: "list", name: t("list") }];
  const error = parts.error || lanes.error;
  return html`<${Head} title=${t("topology")}/><${Tabs} label=${t("topology")} page="topology" chosen=${thing} tabs=${tabs}/>${error && html`<${Notice} look="bad">${error.message}<//>`}
    ${known ? html`<${Shown} found=${matrix({ bots: live.bots.value.data, inAll: bots.answer?.total, workers: live.workers.value.data, parts: parts.answer.parts, lanes: lanes.answer.queues })} flow=${flow} list=${thing === "list"}/>`
      : !error && html`<div class="card"><div class="skeleton" role="status" aria-label=${t("loading")}><span class="w9"></span><span class="w7"></span></div></div>`}`;
}

function Shown({ found, flow, list }) {
  if (!found.nodes.length) return html`<div class="card"><${Empty} icon="topology-star-3" title=${t("no_topology")}>${t("no_topology_what")}<//></div>`;
  if (list) return html`<div class="card"><${Listed} found=${found} flow=${flow}/></div>`;
  const counts = Object.fromEntries(KINDS.map((kind) => [kind, found.nodes.filter((one) => one.kind === kind).length]));
  const label = `${t("topology")}: ${KINDS.map((kind) => `${word("node", kind)} ${counts[kind]}`).join(", ")}. ${t("topology_list")}`;
  return html`<div class="card board"><${Graph} ...${found} flow=${flow} label=${label} onOpen=${(node) => go(node.page, node.thing)}/>
    <div class="legend">${KINDS.map((kind) => html`<span><i class=${`mark-${kind}`} aria-hidden="true"></i>${word("node", kind)}</span>`)}<span>${t("topology_click")}</span></div></div>`;
}

// The same for keyboards and screen readers: every thing with its way and how much goes there.
function Listed({ found, flow }) {
  const [, redraw] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => redraw((turn) => turn + 1), 2000);
    return () => clearInterval(timer);
  }, []);
  const now = performance.now();
  const sum = (node) => found.edges.filter((one) => one.from === node.id || one.to === node.id).reduce((total, one) => total + flow.rate(one.id, now), 0);
  const rows = KINDS.flatMap((kind) => found.nodes.filter((one) => one.kind === kind));
  return html`<${Rows} label=${t("topology")} rows=${rows} columns=${[
    { label: t("kind"), cell: (one) => word("node", one.kind) }, { label: t("id"), look: "mono free", cell: (one) => html`<a href=${link(one.page, one.thing)}>${one.name}</a>` },
    { label: t("state"), cell: (one) => (one.state ? html`<${State} value=${one.state}/>` : "–") }, { label: t("backlog"), number: true, cell: (one) => (one.kind === "lane" ? whole(one.count) : "–") },
    { label: t("leads_to"), look: "mono minor", cell: (one) => found.edges.filter((edge) => edge.from === one.id).map((edge) => edge.to.replace(/^\w+:/, "")).join(", ") || "–" },
    { label: t("per_second"), number: true, cell: (one) => rate(sum(one)) }]}/>`;
}

function useFlow() {
  const [flow] = useState(() => new Flow());
  const nexuses = useRef(new Map());
  nexuses.current = new Map((live.bots.value?.data || []).map((one) => [one.bot, one.nexus]));
  useEffect(() => watch((batch) => {
    const now = performance.now();
    for (const hop of batch.hops) for (const way of ways(hop, (bot) => nexuses.current.get(bot))) flow.add(way, now);
  }), []);
  return flow;
}
