// What a plugin logged last, in any worker.
import { query } from "../../lib/api.js";
import { html } from "../../lib/html.js";
import { clock, exact, t } from "../../lib/i18n.js";
import { link } from "../../lib/route.js";
import { Card, State } from "../../ui/basics.js";
import { useAnswer } from "../../ui/table.js";

const MOST = 50;

export function Lines({ id }) {
  const q = `plugin=${id}`;
  const { answer } = useAnswer(`api/logs${query({ q, level: "debug", size: 200 })}`, 4);
  const whose = new RegExp(`plugin=${id.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}(\\s|$)`);
  const lines = (answer?.logs || []).filter((one) => whose.test(one.text)).slice(-MOST);
  return html`<${Card} title=${t("logs")} flush actions=${html`<a class="btn btn-sm" href=${link("logs", "", { q, level: "debug" })}>${t("all_lines")}</a>`}>
    ${lines.length ? html`<div class="lines short mono" tabindex="0" role="log" aria-live="off" aria-label=${t("logs")}>${lines.map((one) => html`<div key=${one.id} class="line">
      <time title=${exact(one.t)}>${clock(one.t)}</time><span class="part">${one.part}</span><${State} value=${one.level}/><span>${one.text}</span></div>`)}</div>`
    : html`<p class="pad text-secondary">${t("logged_nothing")}</p>`}<//>`;
}
