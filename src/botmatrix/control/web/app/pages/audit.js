// Who changed what, when, from where; before and after.
import { html } from "../lib/html.js";
import { exact, moment, t } from "../lib/i18n.js";
import { Button, Facts, Head, Quiet } from "../ui/basics.js";
import { dialog } from "../ui/dialog.js";
import { List } from "../ui/table.js";

export default function Audit() {
  return html`<${Head} title=${t("audit")}/><div class="card"><${List} label=${t("audit")} path="api/audit" plural="audit" every=${10} columns=${[
    { key: "at", label: t("time"), cell: (one) => html`<span title=${exact(one.at)}>${moment(one.at)}</span>` },
    { key: "who", label: t("who"), cell: (one) => html`${one.who || "–"} <${Quiet}>${one.via}<//>` },
    { key: "what", label: t("what_changed"), look: "mono", cell: (one) => one.what },
    { key: "object", label: t("object"), look: "mono free", cell: (one) => one.object || "–" },
    { label: t("address"), look: "mono minor", cell: (one) => one.address || "–" },
    { look: "end", cell: (one) => html`<${Button} look="btn-sm" icon="eye" onClick=${() => show(one)} aria-label=${`${t("read")} ${one.id}`}>${t("read")}<//>` },
  ]} empty=${{ icon: "history", title: t("no_audit"), what: t("no_audit_what") }}/></div>`;
}

const json = (value) => html`<pre class="payload">${value === null ? "–" : JSON.stringify(value, null, 2)}</pre>`;

const show = (one) => dialog(`${one.what} ${one.object}`, () => html`<${Facts} rows=${[[t("time"), exact(one.at)], [t("who"), `${one.who} (${one.via})`], [t("address"), one.address || "–"]]}/>
  <div class="columns"><div><h3 class="h4">${t("before")}</h3>${json(one.before)}</div><div><h3 class="h4">${t("after")}</h3>${json(one.after)}</div></div>`, { wide: true });
