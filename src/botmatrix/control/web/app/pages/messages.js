// What is said: as it happens, all that is kept, and how each event ended.
import { html, useMemo } from "../lib/html.js";
import { clock, exact, moment, t, word } from "../lib/i18n.js";
import { link, route } from "../lib/route.js";
import { Head, Icon, Quiet, State } from "../ui/basics.js";
import { List } from "../ui/table.js";
import { Tabs } from "../ui/tabs.js";
import { Stream } from "./stream.js";

const RANGES = { "24h": 24, "7d": 7 * 24, "30d": 30 * 24, "90d": 90 * 24 };
const OUTCOMES = ["answered", "silent", "under_way", "duplicate", "blocked", "failed"];
const MINUTE = 60_000;
const COUNTED = 10_000;

export default function Messages({ thing }) {
  const tabs = [{ to: "", name: t("history") }, { to: "live", name: t("as_it_happens") }, { to: "events", name: t("what_became") }];
  const Shown = { live: Stream, events: Events }[thing] || History;
  return html`<${Head} title=${t("messages")}/><${Tabs} label=${t("messages")} page="messages" chosen=${thing} tabs=${tabs}/><div class="card"><${Shown} key=${thing}/></div>`;
}

// The time that is asked for, to the minute, so that looking again is the same question.
function useSpan() {
  const { from, to, range } = route.value.params;
  const now = Math.floor(Date.now() / MINUTE);
  return useMemo(() => {
    const iso = (value) => (value && !Number.isNaN(Date.parse(value)) ? new Date(value).toISOString() : "");
    const since = range in RANGES && new Date((now - RANGES[range] * 60) * MINUTE).toISOString();
    return { from: iso(from) || since || "", to: iso(to) };
  }, [from, to, range, range && now]);
}

const said = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value));
const times = () => [
  { key: "range", label: t("range"), local: true, options: Object.keys(RANGES).map((one) => [one, word("range", one)]) },
  { key: "from", label: t("from"), local: true, type: "datetime-local" }, { key: "to", label: t("until"), local: true, type: "datetime-local" },
];
const about = () => [{ key: "bot", label: t("bot") }, { key: "user", label: t("user") }, { key: "group", label: t("group") }];
const time = { key: "at", cell: (one) => html`<span class="nowrap" title=${exact(one.at)}>${when(one.at)}</span>` };
const when = (at) => (new Date(at).toDateString() === new Date().toDateString() ? clock(at) : moment(at));
const text = (one) => (one.text ? html`<span class="said">${one.text}</span>` : html`<${Quiet}>–<//>`);
const road = (id) => id && html`<a class="btn btn-sm" href=${link("trace", id)} aria-label=${`${t("trace")} ${id}`}>${t("trace")}</a>`;
const place = (one) => one.conv || (one.group_id ? `group:${one.group_id}` : `private:${one.user_id}`);

function History() {
  const columns = [
    { ...time, label: t("time") },
    { label: t("direction"), cell: (one) => html`<span class="direction"><${Icon} name=${one.direction === "in" ? "arrow-down" : "arrow-up"}/>${word("direction", one.direction)}</span>` },
    { label: t("bot"), look: "mono", cell: (one) => one.bot }, { label: t("conversation"), look: "mono minor", cell: place },
    { label: t("user"), look: "mono", cell: (one) => one.user_id || "–" }, { label: t("text"), look: "wide", cell: text },
    { label: t("state"), look: "verdict", cell: heardAs }, { look: "end", cell: (one) => road(one.event_id) },
  ];
  return html`<${List} label=${t("history")} path="api/messages" plural="messages" every=${10} most=${COUNTED} asked=${said(useSpan())} columns=${columns}
    filters=${[{ key: "direction", label: t("direction"), options: ["in", "out"].map((one) => [one, word("direction", one)]) }, ...about(), ...times()]}
    empty=${{ icon: "messages", title: t("no_messages"), what: html`${t("no_messages_what")} <a href=${link("chat")}>${t("chat")}</a>` }}/>`;
}

const heardAs = (one) => (one.direction === "in" && one.state !== "passed"
  ? html`<${State} value="blocked"/> <${Quiet}>${word("reason", one.state)}<//>` : html`<${State} value=${one.state} look=${look(one)}/>`);
const look = (one) => ({ passed: "good", done: "good", unknown: "warn", expired: "warn" })[one.state] || "bad";

function Events() {
  const columns = [
    { ...time, label: t("time") }, { label: t("event"), look: "minor nowrap", cell: (one) => word("kind", one.kind) },
    { label: t("bot"), look: "mono", cell: (one) => one.bot }, { label: t("user"), look: "mono", cell: (one) => one.user_id || "–" },
    { label: t("text"), look: "wide", cell: text }, { label: t("worker"), look: "mono minor nowrap", cell: (one) => one.worker || "–" },
    { label: t("state"), cell: (one) => html`<${State} value=${one.outcome}/>` },
    { label: t("why"), look: "minor verdict", cell: (one) => html`<${Quiet}>${one.reason ? word("reason", one.reason) : "–"}<//>` },
    { look: "end", cell: (one) => road(one.event_id) },
  ];
  return html`<${List} label=${t("what_became")} path="api/traces" plural="traces" by="event_id" every=${10} most=${COUNTED} asked=${said(useSpan())} columns=${columns}
    filters=${[{ key: "outcome", label: t("state"), options: OUTCOMES.map((one) => [one, word("state", one)]) }, ...about(), ...times()]}
    empty=${{ icon: "route", title: t("no_events"), what: html`${t("no_messages_what")} <a href=${link("chat")}>${t("chat")}</a>` }}/>`;
}
