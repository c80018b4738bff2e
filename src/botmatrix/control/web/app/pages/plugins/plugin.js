// One plugin: how it stands in every worker, what it may do, where it is on, its settings, versions and newest log lines.
import { ask, may } from "../../lib/api.js";
import { html, useState } from "../../lib/html.js";
import { bytes, moment, t, whole, word } from "../../lib/i18n.js";
import { go, link } from "../../lib/route.js";
import { Button, Card, Head, Notice, Quiet, State } from "../../ui/basics.js";
import { confirm } from "../../ui/dialog.js";
import { failed, toast } from "../../ui/toast.js";
import { Rows, useAnswer } from "../../ui/table.js";
import { LOOKS, Standing, stateIn } from "../plugins.js";
import { Grants } from "./grants.js";
import { Lines } from "./lines.js";
import { Versions } from "./packages.js";
import { PluginSettings } from "./settings.js";
import { Where } from "./where.js";

export const at = (id, what = "") => `api/plugins/${encodeURIComponent(id)}${what && `/${what}`}`;

export function OnePlugin({ id }) {
  const [version, setVersion] = useState(0);
  const { answer, error } = useAnswer(at(id), 3, version);
  const again = () => setVersion((before) => before + 1);
  const parts = { id, plugin: answer, again };
  return html`<nav class="back" aria-label=${t("back")}><a href=${link("plugins")}>${t("plugins")}</a> / <span>${id}</span></nav>
    <${Head} title=${id}>${answer && may("admin") && html`<${Acts} ...${parts}/>`}<//>
    ${error && html`<${Notice} look="bad">${error.message}<//>`}
    ${answer?.description && html`<p class="text-secondary">${answer.name !== id && html`<strong>${answer.name}</strong> · `}${answer.description}</p>`}
    ${answer && html`<${Card} title=${html`<${Standing} one=${answer}/>`} flush><${Workers} workers=${answer.workers}/><//>
      <div class="columns"><div class="stack">${may("admin") && answer.has_settings && html`<${PluginSettings} id=${id}/>`}<${Versions} ...${parts}/></div>
        <div class="stack"><${Grants} ...${parts}/><${Where} id=${id}/></div></div>
      ${may("operator") && html`<${Lines} id=${id}/>`}`}`;
}

function Acts({ id, plugin, again }) {
  const act = (what, said) => async () => {
    try {
      await ask(at(id, what), { body: {} });
      toast(said);
      again();
    } catch (error) {
      failed(error);
    }
  };
  const remove = () => confirm(t("remove"), t("remove_plugin_what", { id }), t("remove"), async () => {
    await ask(at(id), { method: "DELETE" });
    go("plugins");
  });
  return html`<${Button} icon="refresh" onClick=${act("reload", t("reloads", { id }))}>${t("load_anew")}<//>
    ${plugin.previous && html`<${Button} icon="arrow-back-up" onClick=${act("rollback", t("rolled_back", { id, version: plugin.previous.version }))}>${t("roll_back_to", { version: plugin.previous.version })}<//>`}
    <${Button} onClick=${plugin.enabled ? act("disable", t("is_off", { id })) : act("enable", t("is_on", { id }))}>${plugin.enabled ? t("switch_off") : t("switch_on")}<//>
    ${plugin.package && html`<${Button} icon="trash" onClick=${remove}>${t("remove")}<//>`}`;
}

// Actions that were refused, of which the names are shown.
const NAMED = 4;

function Workers({ workers }) {
  if (!workers.length) return html`<p class="pad text-secondary">${t("in_no_worker")}</p>`;
  const broken = workers.filter((one) => one.error);
  return html`<${Rows} label=${t("workers")} rows=${workers} columns=${[
      { label: t("worker"), look: "mono strong", cell: (one) => one.worker }, { label: t("state"), cell: (one) => html`<${State} value=${stateIn(one)} look=${LOOKS[stateIn(one)] || "warn"}/>` },
      { label: t("version"), look: "mono", cell: (one) => one.version || "–" }, { label: t("since"), cell: (one) => moment(one.since) },
      { label: t("source"), look: "mono minor", cell: (one) => one.source },
      { label: t("process"), cell: (one) => (one.process ? html`<${Process} process=${one.process}/>` : html`<${InWorker} plugin=${one}/>`) },
    ]}/>${broken.map((one) => html`<div class="pad-x"><${Notice} look="bad" title=${`${[one.worker, one.error_at && moment(one.error_at)].filter(Boolean).join(", ")}:`}><span class="pre">${one.error}</span><//></div>`)}`;
}

const InWorker = ({ plugin }) => html`<${Quiet}>${t("in_worker")}${plugin.interrupted ? ` · ${t("interrupted_n", { n: whole(plugin.interrupted), when: moment(plugin.interrupted_at) })}` : ""}<//>`;

function Process({ process }) {
  const refused = Object.entries(process.refused || {});
  const times = refused.reduce((sum, [, n]) => sum + n, 0);
  const names = refused.slice(0, NAMED).map(([name]) => name).join(", ") + (refused.length > NAMED ? ", …" : "");
  return html`<span>${process.state && word("process", process.state)} ${process.pid ? `pid ${process.pid}` : ""}${process.memory ? ` · ${bytes(process.memory)}` : ""}
    ${process.restarts ? ` · ${t("restarts_n", { n: whole(process.restarts) })}` : ""}${process.timeouts ? ` · ${t("timeouts_n", { n: whole(process.timeouts) })}` : ""}
    ${times ? ` · ${t("refused_n", { n: whole(times) })} (${names})` : ""}</span>`;
}
