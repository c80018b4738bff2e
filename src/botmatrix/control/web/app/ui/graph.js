// A graph in columns, drawn by Cytoscape.js in the colours of the theme; what flows is drawn moving.
import { html, useEffect, useRef } from "../lib/html.js";
import { t } from "../lib/i18n.js";
import { Button } from "./basics.js";

const COLUMNS = ["bot", "nexus", "lane", "worker"];
const COLORS = { bot: "blue", nexus: "purple", lane: "orange", worker: "green" };
const FRAME = 80;
const MOVES_FOR = 700;
const NARROW = 640;
const IN_A_ROW = 2;
const IN_A_COLUMN = 12;
const FONT = { size: 13, family: "sans-serif" };
const NODE_TEXT = 158;

// nodes: [{id, kind, name, state, count?}], edges: [{id, from, to}]; `flow` says what moves; onOpen(node).
export function Graph({ nodes, edges, flow, label, onOpen }) {
  const place = useRef(null);
  const held = useRef({});
  Object.assign(held.current, { nodes, edges, onOpen });
  useEffect(() => {
    let gone = false;
    let timer = 0;
    const draw = async () => {
      const { default: cytoscape } = await import("cytoscape");
      if (gone || !place.current) return;
      held.current.graph?.destroy();
      const graph = cytoscape({ container: place.current, style: looks(), layout: { name: "preset" }, userZoomingEnabled: false, boxSelectionEnabled: false,
        autounselectify: true, autoungrabify: true, minZoom: 0.2, maxZoom: 2.5 });
      held.current.graph = graph;
      graph.on("tap", "node", (event) => held.current.onOpen(event.target.data("node")));
      graph.on("mouseover mouseout", "node", (event) => { place.current.classList.toggle("over", event.type === "mouseover"); });
      fill(graph, held.current, place.current);
    };
    const resized = new ResizeObserver(() => place.current && held.current.graph && fill(held.current.graph, held.current, place.current));
    resized.observe(place.current);
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) timer = setInterval(() => held.current.graph && move(held.current.graph, flow), FRAME);
    else timer = setInterval(() => held.current.graph && mark(held.current.graph, flow), FRAME * 5);
    addEventListener("themechange", draw);
    draw();
    return () => {
      gone = true;
      clearInterval(timer);
      resized.disconnect();
      removeEventListener("themechange", draw);
      held.current.graph?.destroy();
      held.current.graph = null;
    };
  }, []);
  const shape = JSON.stringify([nodes.map((one) => [one.id, one.name, one.state, one.count]), edges.map((one) => one.id)]);
  useEffect(() => { if (held.current.graph) fill(held.current.graph, held.current, place.current); }, [shape]);
  const zoom = (factor) => () => {
    const { graph } = held.current;
    graph?.zoom({ level: graph.zoom() * factor, renderedPosition: { x: place.current.clientWidth / 2, y: place.current.clientHeight / 2 } });
  };
  // Cytoscape would put a style sheet into the page, which the policy forbids, unless there is an element of this name; console.css does it.
  return html`<span id="__________cytoscape_stylesheet" hidden></span><div class="graph-tools"><${Button} look="btn-icon btn-sm" icon="zoom-in" aria-label=${t("zoom_in")} onClick=${zoom(1.25)}/>
    <${Button} look="btn-icon btn-sm" icon="zoom-out" aria-label=${t("zoom_out")} onClick=${zoom(0.8)}/><${Button} look="btn-icon btn-sm" icon="focus-centered" aria-label=${t("zoom_fit")} onClick=${() => held.current.graph?.fit(undefined, 24)}/></div>
    <div class="graph" role="img" aria-label=${label} ref=${place}></div>`;
}

function looks() {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name).trim();
  const [ground, text] = [color("--chart-ground"), color("--chart-text")];
  return [
    { selector: "node", style: { shape: "round-rectangle", width: 172, height: 46, label: "data(label)", color: text, "font-size": FONT.size, "font-family": FONT.family, "text-valign": "center", "text-halign": "center",
      "text-wrap": "wrap", "text-max-width": 172, "background-color": ground, "border-width": 2 } },
    ...Object.entries(COLORS).map(([kind, name]) => ({ selector: `node[kind="${kind}"]`, style: { "border-color": color(`--chart-${name}`) } })),
    { selector: "node[?off]", style: { "border-style": "dashed", "border-color": color("--quiet"), color: color("--quiet") } },
    { selector: "node[?bad]", style: { "border-color": color("--bad") } },
    { selector: "edge", style: { width: 1.5, "line-color": color("--chart-grid"), "curve-style": "bezier" } },
    { selector: "edge.moving", style: { "line-color": color("--chart-blue"), "line-style": "dashed", "line-dash-pattern": [7, 7], width: "data(width)" } },
  ];
}

// Each kind is a column, on a narrow page a row; many of a kind stand in several.
function fill(graph, { nodes, edges }, place) {
  const narrow = place.clientWidth < NARROW;
  const elements = [];
  let start = 0;
  for (const found of COLUMNS.map((kind) => nodes.filter((one) => one.kind === kind)).filter((some) => some.length)) {
    const lines = narrow ? Math.ceil(found.length / IN_A_ROW) : Math.ceil(found.length / IN_A_COLUMN);
    const of = Math.ceil(found.length / lines);
    found.forEach((node, at) => {
      const [line, inLine] = [Math.floor(at / of), Math.min(of, found.length - Math.floor(at / of) * of)];
      const along = ((at % of) - (inLine - 1) / 2) * (narrow ? 190 : 62);
      const across = start + line * (narrow ? 62 : 190);
      elements.push({ group: "nodes", data: described(node), position: narrow ? { x: along, y: across } : { x: across, y: along } });
    });
    start += lines * (narrow ? 62 : 190) + (narrow ? 50 : 110);
  }
  const ids = new Set(nodes.map((one) => one.id));
  const ties = edges.filter((one) => ids.has(one.from) && ids.has(one.to)).map((one) => ({ group: "edges", data: { id: one.id, source: one.from, target: one.to, width: 2 } }));
  graph.batch(() => {
    graph.elements().remove();
    graph.add([...elements, ...ties]);
  });
  graph.resize();
  graph.fit(undefined, 24);
  if (graph.zoom() > 1.1) {
    graph.zoom(1.1);
    graph.center();
  }
}

const letters = new Intl.Segmenter(undefined, { granularity: "grapheme" });

const measure = document.createElement("canvas").getContext("2d");

// A line that fits into its node: what is longer ends with three dots.
function fitted(line) {
  measure.font = `${FONT.size}px ${FONT.family}`;
  const fits = (text) => measure.measureText(text).width <= NODE_TEXT;
  if (fits(line)) return line;
  const all = [...letters.segment(line)].map((one) => one.segment);
  let most = all.length;
  while (most && !fits(`${all.slice(0, most).join("")}…`)) most -= 1;
  return `${all.slice(0, most).join("")}…`;
}

const labelOf = ({ name, count }) => name.split("\n").map(fitted).join("\n") + (count ? ` · ${count}` : "");
const described = (node) => ({ id: node.id, kind: node.kind, node, label: labelOf(node), off: node.state === "offline", bad: node.state === "waiting" });

function mark(graph, flow) {
  const now = performance.now();
  const moving = new Map(flow.active(now, MOVES_FOR));
  graph.batch(() => {
    graph.edges(".moving").forEach((edge) => { if (!moving.has(edge.id())) edge.removeClass("moving"); });
    for (const id of moving.keys()) {
      const edge = graph.getElementById(id);
      if (edge.nonempty()) edge.data("width", 2 + Math.min(4, Math.log2(1 + flow.rate(id, now)))).addClass("moving");
    }
  });
  return moving;
}

function move(graph, flow) {
  const moving = mark(graph, flow);
  const step = (performance.now() / 25) % 14;
  graph.batch(() => graph.edges(".moving").forEach((edge) => { edge.style("line-dash-offset", moving.get(edge.id())?.forth ? -step : step); }));
}
