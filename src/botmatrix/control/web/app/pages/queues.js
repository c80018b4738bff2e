// What waits, for how long, and what could not be handled.
import { ask, may } from "../lib/api.js";
import { html, signal, useState } from "../lib/html.js";
import { exact, moment, seconds, t, whole, word } from "../lib/i18n.js";
import { Button, Head, Quiet, State } from "../ui/basics.js";
import { confirm, dialog } from "../ui/dialog.js";
import { failed, toast } from "../ui/toast.js";
import { List } from "../ui/table.js";
import { Tabs } from "../ui/tabs.js";

export default function Queues({ thing }) {
  const [dead, setDead] = useState(0);
  const letters = thing === "dead" && may("operator");
  const tabs = [{ to: "", name: t("lanes") }, ...(may("operator") ? [{ to: "dead", name: t("dead"), count: dead }] : [])];
  return html`<${Head} title=${t("queues")}/><${Tabs} label=${t("queues")} page="queues" chosen=${letters ? "dead" : ""} tabs=${tabs}/>
    <div class="card">${letters ? html`<${Letters}/>` : html`<${Lanes} onAnswer=${(answer) => setDead(answer.dead)}/>`}</div>`;
}

const state = (one) => (one.alive || !one.backlog ? "fine" : "waiting");

const Lanes = ({ onAnswer }) => html`<${List} label=${t("lanes")} path="api/queues" plural="queues" by="lane" every=${3} onAnswer=${onAnswer} columns=${[
  { key: "lane", label: t("queue"), cell: (one) => html`<span class="mono">${one.lane}</span>${one.lane === "default" && html` <${Quiet}>${t("parking")}<//>`}` },
  { key: "owner", label: t("owner"), cell: (one) => one.owner || "–" },
  { label: t("state"), cell: (one) => html`<${State} value=${state(one)}/>` },
  { key: "backlog", label: t("backlog"), number: true, cell: (one) => whole(one.backlog) },
  { key: "pending", label: t("pending"), number: true, cell: (one) => whole(one.pending) },
  { key: "oldest_seconds", label: t("oldest"), number: true, cell: (one) => (one.oldest_seconds ? seconds(one.oldest_seconds) : "–") },
]} empty=${{ icon: "stack-2", title: t("no_queues"), what: t("no_queues_what") }}/>`;

const chosen = signal(new Set());

function Letters() {
  const [version, setVersion] = useState(0);
  const [total, setTotal] = useState(0);
  const done = (text) => {
    chosen.value = new Set();
    setVersion((before) => before + 1);
    toast(text);
  };
  const replay = async (choice) => {
    try {
      const answer = await ask("api/queues/dead/replay", { body: choice });
      done(t("replayed", { n: whole(answer.replayed), left: whole(answer.left) }));
    } catch (error) {
      failed(error);
    }
  };
  const purge = (choice, count) => confirm(t("discard"), t("discard_what", { n: count }), t("discard"), async () => {
    const answer = await ask("api/queues/dead/purge", { body: choice });
    done(t("discarded", { n: whole(answer.purged), left: whole(answer.left) }));
  });
  const ids = [...chosen.value];
  const mark = (id) => (event) => {
    const next = new Set(chosen.value);
    if (event.target.checked) next.add(id);
    else next.delete(id);
    chosen.value = next;
  };
  return html`${total > 0 && html`<div class="bulk"><${Quiet}>${ids.length ? t("chosen", { n: ids.length }) : t("none_chosen")}<//>
      <${Button} icon="arrow-back-up" look="btn-sm" onClick=${() => replay(ids.length ? { ids } : { all: true })}>${ids.length ? t("replay") : t("replay_all")}<//>
      <${Button} icon="trash" look="btn-sm" onClick=${() => purge(ids.length ? { ids } : { all: true }, ids.length || t("all"))}>${ids.length ? t("discard") : t("discard_all")}<//></div>`}
    <${List} label=${t("dead")} path="api/queues/dead" plural="dead" every=${10} version=${version} onAnswer=${(answer) => setTotal(answer.total)} columns=${[
    { cell: (one) => html`<input class="form-check-input" type="checkbox" aria-label=${`${t("choose")} ${one.id}`} checked=${chosen.value.has(one.id)} onChange=${mark(one.id)}/>` },
    { key: "since", label: t("since"), cell: (one) => html`<span title=${exact(one.since)}>${moment(one.since)}</span>` },
    { key: "reason", label: t("reason"), cell: (one) => word("reason", one.reason) },
    { key: "lane", label: t("queue"), cell: (one) => html`<span class="mono">${one.lane}</span>` },
    { key: "id", label: t("id"), cell: (one) => html`<span class="mono">${one.id}</span>` },
    { look: "end", cell: (one) => html`<${Button} look="btn-sm" icon="eye" onClick=${() => read(one)}>${t("read")}<//>
      <${Button} look="btn-sm" icon="arrow-back-up" aria-label=${`${t("replay")} ${one.id}`} onClick=${() => replay({ id: one.id })}>${t("replay")}<//>` },
  ]} empty=${{ icon: "inbox", title: t("no_dead"), what: t("no_dead_what") }}/>`;
}

const read = (one) => dialog(`${t("dead")} ${one.id}`, () => html`<p>${word("reason", one.reason)}</p><pre class="payload">${pretty(one.payload)}</pre>`, { wide: true });

function pretty(payload) {
  try {
    return JSON.stringify(JSON.parse(payload), null, 2);
  } catch {
    return payload;
  }
}
