// The live stream: every event that is reported, and what became of it, as it happens.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { clock, millis, t, whole, word } from "../lib/i18n.js";
import { watch } from "../lib/live.js";
import { adjust, link, route } from "../lib/route.js";
import { Button, Empty, Icon, Notice, Quiet, State } from "../ui/basics.js";
import { Rows } from "../ui/table.js";
import { Typed } from "../ui/typed.js";

const KEPT = 500;
const SHOWN = 60;
const DRAW_EVERY = 250;

export function Stream() {
  const [paused, setPaused] = useState(false);
  const { rows, leftOut } = useStream(paused);
  const { q = "", kind = "" } = route.value.params;
  const found = rows.filter((one) => fits(one, q.toLowerCase(), kind)).slice(0, SHOWN);
  return html`<div class="list"><div class="tools" role="search"><div class="input-icon"><span class="input-icon-addon"><${Icon} name="search"/></span>
      <${Typed} class="form-control" type="search" maxlength="200" placeholder=${t("search")} aria-label=${t("search")} value=${q} onTyped=${(typed) => adjust({ q: typed })}/></div>
      <select class="form-select" aria-label=${t("event")} value=${kind} onChange=${(event) => adjust({ kind: event.target.value })}>
        <option value="">${t("messages_only")}</option><option value="all">${t("all_events")}</option></select>
      <span class="total"><${Button} icon=${paused ? "player-play" : "player-pause"} onClick=${() => setPaused(!paused)}>${paused ? t("follow") : t("pause")}<//></span></div>
    ${leftOut > 0 && html`<${Notice} look="warn">${t("left_out", { n: whole(leftOut) })}<//>`}
    ${found.length ? html`<${Rows} label=${t("as_it_happens")} rows=${found} by="id" columns=${columns()}/>`
      : html`<${Empty} icon="messages" title=${t("quiet_now")}>${t("quiet_now_what")} <a href=${link("chat")}>${t("chat")}</a><//>`}</div>`;
}

const columns = () => [
  { label: t("time"), cell: (one) => clock(one.t / 1000) }, { label: t("bot"), look: "mono", cell: (one) => one.bot },
  { label: t("conversation"), look: "mono minor", cell: (one) => one.conv }, { label: t("user"), look: "mono", cell: (one) => one.user || "–" },
  { label: t("text"), look: "wide", cell: (one) => html`<span class="said">${one.text || html`<${Quiet}>${word("kind", one.kind)}<//>`}</span>${one.answers.map((answer) => html`<span class="said answered"><${Icon} name="arrow-back-up"/>${answer}</span>`)}` },
  { label: t("state"), look: "verdict", cell: (one) => html`<${State} value=${one.outcome}/>${one.reason && html` <${Quiet}>${word("reason", one.reason)}<//>`}` },
  { label: t("took"), number: true, look: "minor", cell: (one) => (one.took === null ? "–" : one.took ? millis(one.took) : "< 1 ms") },
  { look: "end", cell: (one) => one.id && html`<a class="btn btn-sm" href=${link("trace", one.id)} aria-label=${`${t("trace")} ${one.id}`}>${t("trace")}</a>` },
];

const fits = (one, q, kind) => (kind === "all" || one.kind.startsWith("message")) && (!q || [one.text, one.bot, one.user, one.conv, ...one.answers].some((part) => part.toLowerCase().includes(q)));

// Newest first. Reports come up to 20 times a second; the page is drawn four times, and not while it is held.
function useStream(paused) {
  const [shown, setShown] = useState({ rows: [], leftOut: 0 });
  const held = useRef(paused);
  held.current = paused;
  useEffect(() => {
    const rows = new Map();
    let leftOut = 0;
    let fresh = false;
    const leave = watch((batch) => {
      fresh = true;
      leftOut += batch.left_out;
      for (const hop of batch.hops) take(rows, hop);
    });
    const timer = setInterval(() => {
      if (!fresh || held.current) return;
      fresh = false;
      setShown({ rows: [...rows.values()].reverse(), leftOut });
    }, DRAW_EVERY);
    return () => {
      leave();
      clearInterval(timer);
    };
  }, []);
  return shown;
}

function take(rows, hop) {
  if (hop.part === "heard") {
    rows.set(hop.id, { conv: "", user: "", text: "", kind: "", reason: "", ...hop, took: null, answers: [], outcome: hop.reason ? "blocked" : "under_way" });
    if (rows.size > KEPT) rows.delete(rows.keys().next().value);
    return;
  }
  const row = rows.get(hop.id);
  if (row) rows.set(hop.id, joined(row, hop));
  else if (hop.part === "acted" && !hop.id && hop.conv) rows.set(hop.aid, sent(hop));
}

function joined(row, hop) {
  if (hop.part === "repeated") return { ...row, outcome: "duplicate" };
  if (hop.part === "ran") {
    const outcome = { dead: "failed", retry: "under_way" }[hop.outcome] || (hop.actions ? "answered" : "silent");
    return { ...row, outcome, took: hop.ended - row.t, reason: hop.reason || "" };
  }
  const outcome = hop.state === "DONE" ? "answered" : "failed";
  return { ...row, outcome, answers: [...row.answers, hop.text || hop.action].slice(-5) };
}

const sent = (hop) => ({ id: "", t: hop.queued, bot: hop.bot, conv: hop.conv, user: "", kind: "message_sent", text: "", reason: "", took: hop.ended - hop.queued,
  answers: [hop.text || hop.action], outcome: hop.state === "DONE" ? "done" : "failed" });
