// The road that one event took, with times, and why nobody answered it.
import { ask } from "../lib/api.js";
import { html, useState } from "../lib/html.js";
import { exact, millis, t, whole, word } from "../lib/i18n.js";
import { go, link } from "../lib/route.js";
import { Button, Card, Copy, Empty, Facts, Head, Icon, Notice, State } from "../ui/basics.js";
import { failed } from "../ui/toast.js";
import { useAnswer } from "../ui/table.js";
import { Explained } from "./explain.js";
import { stations, why } from "./road.js";

const AGAIN = 2;
// What the worker tells may come after the outcome: a trace is whole when it has said nothing new so many times.
const SETTLED = 3;

export default function Trace({ thing }) {
  if (!thing) return html`<${Find}/>`;
  return html`<nav class="back" aria-label=${t("back")}><a href=${link("messages", "events")}>${t("messages")}</a> / <span class="mono">${thing}</span></nav><${One} key=${thing} id=${thing}/>`;
}

function Find() {
  const look = (event) => {
    event.preventDefault();
    const id = new FormData(event.target).get("id").trim();
    if (id) go("trace", id);
  };
  return html`<${Head} title=${t("trace")}/><${Card}><form onSubmit=${look}><label class="form-label" for="trace-id">${t("event_id")}</label>
    <div class="actions"><input id="trace-id" name="id" class="form-control mono grow" maxlength="64" autocomplete="off" spellcheck=${false}/><button class="btn btn-primary">${t("find")}</button></div>
    <small class="form-hint">${t("event_id_hint")}</small></form><//>`;
}

function One({ id }) {
  const [told, setTold] = useState({ parts: 0, times: 0 });
  const { answer, error } = useAnswer(`api/traces/${encodeURIComponent(id)}`, told.times < SETTLED ? AGAIN : 0, 0, ({ trace }) => {
    const parts = trace.parts.length;
    const same = trace.outcome !== "under_way" && parts === told.parts;
    setTold({ parts, times: same ? told.times + 1 : 0 });
  });
  const trace = answer?.trace;
  if (!trace) {
    return html`<${Head} title=${t("trace")}/>${!error ? html`<div class="skeleton" role="status" aria-label=${t("loading")}><span class="w9"></span><span class="w7"></span></div>`
      : html`<${Card}><${Empty} icon="route" title=${error.status === 404 ? t("no_trace") : t("failed")}>${error.status === 404 ? t("no_trace_what") : error.message}<//><//>`}`;
  }
  const reason = why(trace.parts);
  return html`<${Head} title=${trace.text || word("kind", trace.kind) || t("trace")}><${State} value=${trace.outcome}/><//>
    ${reason && html`<${Notice} look=${trace.outcome === "failed" || trace.outcome === "blocked" ? "bad" : "info"} title=${t("why_title")}>${reason}<//>`}
    <div class="columns wide-left"><${Card} title=${t("road")} flush><${Road} parts=${trace.parts}/><//>
      <div class="stack"><${Card} title=${t("event")}><${Facts} rows=${facts(trace)}/><//><${Now} id=${id}/><${Raw} parts=${trace.parts}/></div></div>`;
}

const facts = (trace) => [
  [t("event_id"), html`<span class="mono">${trace.event_id}</span> <${Copy} text=${trace.event_id} label=${t("event_id")}/>`], [t("time"), exact(trace.at)],
  [t("event"), word("kind", trace.kind)], [t("bot"), html`<a class="mono" href=${link("bots", trace.bot)}>${trace.bot}</a>`],
  [t("conversation"), html`<span class="mono">${trace.conv || "–"}</span>`], [t("user"), html`<span class="mono">${trace.user_id || "–"}</span>`],
  [t("rule"), html`<span class="mono">${trace.rule || "–"}</span>`], [t("worker"), html`<span class="mono">${trace.worker || "–"}</span>`],
];

function Road({ parts }) {
  const found = stations(parts);
  if (!found.length) return html`<${Empty} icon="clock" title=${t("no_trace")}>${t("no_trace_what")}<//>`;
  const first = found[0].t;
  const longest = Math.max(1, ...found.map((one) => one.took));
  return html`<ol class="road">${found.map((one) => html`<li class=${one.look || ""}><span class="after number">${one.t === first ? "0 ms" : `+${whole(one.t - first)} ms`}</span>
    <div><p>${one.what}</p><small class="text-secondary mono">${one.where}</small>${one.took >= 0 && html`<span class="took"><meter min="0" max=${longest} value=${one.took} aria-hidden="true"></meter>${one.took ? millis(one.took) : "< 1 ms"}</span>`}</div></li>`)}</ol>`;
}

// The same question to the router of now: rules and workers may have changed since.
function Now({ id }) {
  const [answer, setAnswer] = useState(null);
  const explain = async () => {
    try {
      setAnswer(await ask("api/admin/routing/explain", { body: { event_id: id } }));
    } catch (error) {
      failed(error);
    }
  };
  if (answer) return html`<${Explained} answer=${answer}/>`;
  return html`<${Card}><p class="text-secondary">${t("explain_now_what")}</p><${Button} icon="route" onClick=${explain}>${t("explain_now")}<//><//>`;
}

const Raw = ({ parts }) => html`<details class="card raw"><summary><${Icon} name="list-details"/>${t("raw_reports")}</summary><pre class="payload">${JSON.stringify(parts, null, 2)}</pre></details>`;
