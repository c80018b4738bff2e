// The bots: a list, and one of them with everything that can be done to it.
import { html } from "../lib/html.js";
import { exact, moment, t, translated, whole, word } from "../lib/i18n.js";
import { may } from "../lib/api.js";
import { link } from "../lib/route.js";
import { Card, Head, Quiet, State } from "../ui/basics.js";
import { List, Rows, useAnswer } from "../ui/table.js";
import { FirstSteps } from "../first.js";
import { OneBot } from "./bot.js";

export default function Bots({ thing }) {
  if (thing) return html`<${OneBot} key=${thing} id=${thing}/>`;
  return html`<${Head} title=${t("bots")}/><div class="card"><${List} label=${t("bots")} path="api/bots" plural="bots" by="bot" every=${3} columns=${columns()}
    empty=${{ icon: "robot", title: t("no_bots"), what: may("admin") ? html`<div class="left"><${FirstSteps}/></div>` : t("no_bots_what") }}/></div><${Refused}/>`;
}

const columns = () => [
  { key: "bot", label: t("bot"), cell: (one) => html`<a class="mono strong" href=${link("bots", one.bot)}>${one.bot}</a>` },
  { key: "nickname", look: "free", label: t("nickname"), cell: (one) => one.nickname || "–" },
  { key: "state", label: t("state"), cell: (one) => html`<${State} value=${one.state}/>` },
  { key: "since", look: "minor", label: t("since"), cell: (one) => html`<span title=${one.since ? exact(one.since) : ""}>${moment(one.since)}</span>` },
  { key: "groups", look: "minor", label: t("groups"), number: true, cell: (one) => whole(one.groups) },
  { key: "total_received", label: t("received"), number: true, cell: (one) => whole(one.total_received) },
  { key: "total_sent", label: t("sent"), number: true, cell: (one) => whole(one.total_sent) },
  { key: "total_failed", look: "minor", label: t("failed_actions"), number: true, cell: (one) => whole(one.total_failed) },
  { key: "last_event_at", label: t("last_event"), cell: (one) => moment(one.last_event_at) },
  { label: t("nexus"), look: "minor", cell: (one) => html`<${Quiet}><span class="mono">${one.nexus || "–"}</span><//>` },
];

// Who was turned away at the door in the last hour, why, and what helps.
function Refused() {
  const { answer } = useAnswer("api/handshakes?size=10", 10);
  if (!answer?.total) return null;
  return html`<${Card} title=${t("refused_links", { n: whole(answer.total) })} flush><${Rows} label=${t("refused")} rows=${answer.handshakes} columns=${[
    { label: t("time"), cell: (one) => moment(one.at) }, { label: t("address"), cell: (one) => one.remote, look: "mono" },
    { label: t("bot"), cell: (one) => one.self_id || "–", look: "mono" }, { label: t("reason"), cell: (one) => `${one.status} ${word("reason", one.reason)}` },
    { label: t("cure"), cell: (one) => translated(one.cure) }]}/><//>`;
}
