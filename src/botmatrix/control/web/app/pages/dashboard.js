// How the matrix is doing: now, and over an hour, a day or a week.
import { may } from "../lib/api.js";
import { html } from "../lib/html.js";
import { bytes, clock, millis, rate, seconds, short, t, whole, word } from "../lib/i18n.js";
import { live, simulated } from "../lib/live.js";
import { adjust, link, route } from "../lib/route.js";
import { Card, Empty, Head, Notice } from "../ui/basics.js";
import { Chart } from "../ui/chart.js";
import { Rows, useAnswer } from "../ui/table.js";
import { FirstSteps } from "../first.js";

// The live view lists no more bots than this; then the newest sample says how many there are.
const MOST_LISTED = 500;
const RANGES = ["1h", "24h", "7d"];

export default function Dashboard() {
  const range = RANGES.includes(route.value.params.range) ? route.value.params.range : "1h";
  const { answer, error } = useAnswer(`api/stats?range=${range}`, 10);
  const { answer: chat, error: noChat } = useAnswer("api/stats/chat?top=8", 15);
  const choice = RANGES.map((one) => html`<button type="button" class=${`btn btn-sm ${one === range ? "active" : ""}`} aria-pressed=${one === range}
    onClick=${() => adjust({ range: one === "1h" ? "" : one })}>${word("range", one)}</button>`);
  return html`<${Head} title=${t("dashboard")}><div class="btn-group" role="group" aria-label=${t("range")}>${choice}</div><//>
    ${error && html`<${Notice} look="bad">${error.message}<//>`}
    ${answer && inAll(answer.now) === 0 && may("admin") && html`<${FirstSteps}/>`}
    <${Figures} now=${answer?.now} known=${Boolean(answer)}/>
    ${answer && html`<${Charts} series=${answer.series}/>`}
    <div class="columns three">
      <${Top} title=${t("top_users")} rows=${chat?.users} error=${noChat} by="user"/><${Top} title=${t("top_groups")} rows=${chat?.groups} error=${noChat} by="group"/>
      <${Top} title=${t("blocked_today")} rows=${chat?.blocked_by_reason} error=${noChat}/></div>
    ${answer && html`<${Parts} parts=${answer.parts}/>`}`;
}

// The bots that the live view lists; null while it has none or not all of them. A bot of the chat page counts for none.
function listed() {
  const found = live.bots.value?.data;
  return found && found.length < MOST_LISTED ? found.filter((one) => !simulated(one.bot)) : null;
}

const inAll = (now) => listed()?.length ?? now?.bots;

function Figures({ now, known }) {
  const bots = listed();
  const workers = live.workers.value?.data;
  const online = bots ? bots.filter((one) => one.state !== "offline").length : now?.bots_online;
  const sum = (found) => Object.values(found || {}).reduce((one, other) => one + other, 0);
  const figure = (name, value, note, href, look = "") => html`<a class=${`figure ${look}`} href=${href}><span class="name">${name}</span>
    <span class="value">${value}</span><span class="note">${note}</span></a>`;
  const dash = (value, show) => (now ? show(value(now)) : "–");
  return html`<div class="figures" aria-live="off">
    ${figure(t("received"), dash((one) => one.received, rate), t("per_second"), link("dashboard"))}
    ${figure(t("sent"), dash((one) => one.sent, rate), t("per_second"), link("dashboard"))}
    ${figure(t("blocked"), dash((one) => one.blocked, rate), t("per_second"), link("dashboard"))}
    ${figure(t("response"), dash((one) => one.response_ms, millis), `p95 ${dash((one) => one.response_p95_ms, millis)}`, link("workers"))}
    ${figure(t("queued"), dash((one) => one.queued, short), !now ? "–" : now.oldest ? t("oldest_is", { n: seconds(now.oldest) }) : t("nothing_waits"), link("queues"), now?.oldest > 30 ? "warn" : "")}
    ${figure(t("dead"), dash((one) => one.dead_letters, short), t("dead_note"), link("queues"), now?.dead_letters ? "bad" : "")}
    ${figure(t("bots"), online === undefined ? "–" : whole(online), bots || now ? t("of_n", { n: whole(inAll(now)) }) : t("online"), link("bots"), online === 0 ? "warn" : "")}
    ${figure(t("workers"), workers ? whole(workers.length) : dash((one) => one.workers, whole), t("alive"), link("workers"), workers?.length === 0 ? "bad" : "")}
    ${figure("CPU", dash((one) => sum(one.cpu_percent), (value) => `${rate(value)} %`), dash((one) => sum(one.rss), bytes), link("dashboard"))}
  </div>${known && !now && html`<${Notice}>${t("no_sample")}<//>`}`;
}

function Charts({ series }) {
  if (series.length < 2) return html`<${Card}><${Empty} icon="clock" title=${t("no_series")}>${t("no_series_what")}<//><//>`;
  const times = series.map((one) => one.t);
  const line = (key, color, label, text, fill) => ({ label, color, text, fill, values: series.map((one) => one[key]) });
  return html`<div class="columns">
    <${Card} title=${t("messages_per_second")}><${Chart} label=${t("messages_per_second")} times=${times} lines=${[line("received", "blue", t("received"), rate, true),
      line("sent", "green", t("sent"), rate), line("blocked", "orange", t("blocked"), rate)]}/><//>
    <${Card} title=${t("response_time")}><${Chart} label=${t("response_time")} times=${times} lines=${[line("response_ms", "blue", t("mean"), millis, true),
      line("response_p95_ms", "purple", "p95", millis)]}/><//>
    <${Card} title=${t("queue_depth")}><${Chart} label=${t("queue_depth")} times=${times} height=${140} lines=${[line("queued", "blue", t("queued"), short, true),
      line("dead_letters", "red", t("dead"), short)]}/><//>
    <${Card} title=${t("cpu_of_parts")}><${Chart} label=${t("cpu_of_parts")} times=${times} height=${140} lines=${["nexus", "worker", "control"].map((part, at) => ({
      label: word("part", part), color: ["blue", "green", "orange"][at], text: (value) => `${rate(value)} %`, values: series.map((one) => one.cpu_percent[part] || 0) }))}/><//></div>`;
}

// `by`: the filter that shows the messages behind a line, for those who may read them.
function Top({ title, rows, by, error }) {
  const most = Math.max(1, ...(rows || []).map((one) => one.messages));
  return html`<${Card} title=${title} flush>${rows?.length ? html`<ol class="ranks">${rows.map((one) => html`<li>
    <span class="rank-name">${!by ? word("reason", one.name) : may("operator") ? html`<a href=${link("messages", "", { [by]: idOf(one.name) })}>${one.name}</a>` : one.name}</span><meter min="0" max=${most} value=${one.messages} aria-hidden="true"></meter>
    <span class="number">${whole(one.messages)}</span></li>`)}</ol>` : html`<p class="text-secondary pad">${rows ? t("nothing_today") : error ? "–" : t("loading")}</p>`}<//>`;
}

// qq:123 and group:qq:123 as the list of messages knows them: by the id alone.
const idOf = (name) => name.slice(name.lastIndexOf(":") + 1);

const Parts = ({ parts }) => html`<${Card} title=${t("parts")} flush><${Rows} label=${t("parts")} rows=${parts} columns=${[
  { label: t("part"), cell: (one) => word("part", one.part) }, { label: t("id"), cell: (one) => one.id, look: "mono" },
  { label: t("host"), cell: (one) => one.host || "–" }, { label: t("version"), cell: (one) => one.version || "–" },
  { label: "CPU", number: true, cell: (one) => `${rate(one.cpu_percent)} %` }, { label: t("memory"), number: true, cell: (one) => bytes(one.rss) }]}/><//>`;
