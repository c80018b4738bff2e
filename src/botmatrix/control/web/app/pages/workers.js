// The workers: how busy, how quick; asking one to take nothing new.
import { ask, may, query } from "../lib/api.js";
import { html, useRef, useState } from "../lib/html.js";
import { millis, moment, t, whole } from "../lib/i18n.js";
import { Button, Head, Quiet, State } from "../ui/basics.js";
import { failed, toast } from "../ui/toast.js";
import { List } from "../ui/table.js";

const KEPT = 40;

export default function Workers() {
  const [version, setVersion] = useState(0);
  const drawn = useRef(new Map());
  const lately = (one) => drawn.current.get(one.id) || [];
  const remember = ({ workers }) => {
    for (const one of workers) drawn.current.set(one.id, [...lately(one), { response: one.response_ms, waiting: one.waiting_ms }].slice(-KEPT));
  };
  const drain = async (one) => {
    try {
      await ask(`api/workers/${encodeURIComponent(one.id)}/drain${query({ on: !one.draining })}`, { method: "POST" });
      toast(one.draining ? t("takes_again", { id: one.id }) : t("drains", { id: one.id }));
      setVersion(version + 1);
    } catch (error) {
      failed(error);
    }
  };
  const columns = [
    { key: "id", label: t("worker"), cell: (one) => html`<span class="mono">${one.id}</span><${Quiet}>${one.version && ` ${one.version}`}<//>
      ${one.skills.length > 0 && html`<small class="under text-secondary" title=${one.skills.join(", ")}>${t("skills")}: ${one.skills.join(", ")}</small>`}` },
    { label: t("state"), cell: (one) => html`<${State} value=${one.drained ? "drained" : one.draining ? "draining" : "alive"}/>` },
    { key: "pool", label: t("pool"), cell: (one) => one.pool },
    { key: "transport", look: "minor", label: t("transport"), cell: (one) => one.transport },
    { key: "in_flight", label: t("in_flight"), number: true, cell: (one) => `${whole(one.in_flight)}${one.concurrency ? ` / ${whole(one.concurrency)}` : ""}` },
    { key: "response_ms", label: t("response"), number: true, cell: (one) => html`<${Spark} values=${lately(one).map((look) => look.response)}/>${millis(one.response_ms)}` },
    { label: "p95", number: true, cell: (one) => millis(one.response_p95_ms) },
    { key: "waiting_ms", look: "minor", label: t("queue_wait"), number: true, cell: (one) => html`<${Spark} values=${lately(one).map((look) => look.waiting)}/>${millis(one.waiting_ms)}` },
    { key: "handled", label: t("handled"), number: true, cell: (one) => whole(one.handled) },
    { key: "started", look: "minor", label: t("since"), cell: (one) => moment(one.started) },
    ...(may("operator") ? [{ look: "end", cell: (one) => one.transport !== "onebot" && html`<${Button} look="btn-sm" onClick=${() => drain(one)}
      aria-label=${`${one.draining ? t("resume") : t("drain")}: ${one.id}`}>${one.draining ? t("resume") : t("drain")}<//>` }] : []),
  ];
  return html`<${Head} title=${t("workers")}/><div class="card"><${List} label=${t("workers")} path="api/workers" plural="workers" every=${3} version=${version}
    columns=${columns} onAnswer=${remember} empty=${{ icon: "server", title: t("no_workers"), what: html`${t("no_workers_what")} <code>botmatrix worker</code>` }}/></div>`;
}

function Spark({ values }) {
  if (values.length < 2) return null;
  const high = Math.max(...values, 0.001);
  const points = values.map((one, at) => `${(at / (KEPT - 1)) * 60},${16 - (one / high) * 15}`).join(" ");
  return html`<svg class="spark" width="60" height="16" viewBox="0 0 60 16" aria-hidden="true"><polyline points=${points} fill="none" stroke="currentColor" stroke-width="1.25"/></svg>`;
}
