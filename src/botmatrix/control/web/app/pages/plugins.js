// The plugins of all workers: a list, packages to put in, and one plugin with everything about it.
import { ask, may } from "../lib/api.js";
import { html, useState } from "../lib/html.js";
import { bytes, t, whole } from "../lib/i18n.js";
import { link } from "../lib/route.js";
import { Button, Card, Head, Notice, Quiet, State } from "../ui/basics.js";
import { confirm } from "../ui/dialog.js";
import { List } from "../ui/table.js";
import { OnePlugin } from "./plugins/plugin.js";
import { bringPackage } from "./plugins/packages.js";

export default function Plugins({ thing }) {
  const [version, setVersion] = useState(0);
  const [safe, setSafe] = useState(false);
  if (thing) return html`<${OnePlugin} key=${thing} id=${thing}/>`;
  const again = () => setVersion((before) => before + 1);
  return html`<${Head} title=${t("plugins")}>${may("admin") && html`<${Button} icon="shield" onClick=${() => changeSafeMode(!safe, again)}>${safe ? t("safe_end") : t("safe_mode")}<//>
      <${Button} icon="upload" look="btn-primary" onClick=${() => bringPackage(again)}>${t("install")}<//>`}<//>
    ${safe && html`<${Notice} look="warn" title=${t("safe_mode")}>${t("safe_is_on")}<//>`}
    <${Card} flush><${List} label=${t("plugins")} path="api/plugins" plural="plugins" every=${5} version=${version} onAnswer=${(answer) => setSafe(answer.safe_mode)} columns=${columns()}
      empty=${{ icon: "puzzle", title: t("no_plugins"), what: t("no_plugins_what") }}/><//>`;
}

const changeSafeMode = (on, again) => confirm(t("safe_mode"), on ? t("safe_what") : t("safe_end_what"), on ? t("safe_mode") : t("safe_end"), async () => {
  await ask("api/plugins/safe-mode", { method: "PUT", body: { on } });
  again();
});

const versions = (one) => [...new Set(one.workers.map((worker) => worker.version).filter(Boolean))];
const memory = (one) => one.workers.reduce((sum, worker) => sum + (worker.process?.memory || 0), 0);

// Of a plugin in one worker. One in quarantine is loaded, but hears nothing until it is loaded anew.
export const stateIn = (worker) => (worker.state === "loaded" && worker.process?.state === "quarantined" ? "quarantined" : worker.state);

// loaded, disabled or failed in all workers; or mixed, while they change over.
export function standing(one) {
  const states = new Set(one.workers.map(stateIn));
  if (!one.enabled) return "disabled";
  if (!states.size) return "nowhere";
  for (const bad of ["failed", "quarantined"]) if (states.has(bad)) return bad;
  return states.size === 1 ? [...states][0] : "changing";
}

export const LOOKS = { loaded: "good", disabled: "quiet", nowhere: "quiet", changing: "warn", failed: "bad", quarantined: "bad" };
export const Standing = ({ one }) => html`<${State} value=${standing(one)} look=${LOOKS[standing(one)] || "warn"}/>`;

const columns = () => [
  { key: "id", label: t("plugin"), cell: (one) => html`<a class="mono strong" href=${link("plugins", one.id)}>${one.id}</a>${one.description && html`<small class="under text-secondary" title=${one.description}>${one.description}</small>`}` },
  { label: t("state"), cell: (one) => html`<${Standing} one=${one}/>` },
  { label: t("version"), look: "mono", cell: (one) => versions(one).join(", ") || "–" },
  { label: t("workers"), number: true, cell: (one) => whole(one.workers.filter((worker) => stateIn(worker) === "loaded").length) },
  { label: t("memory"), number: true, look: "minor", cell: (one) => (memory(one) ? bytes(memory(one)) : one.workers.some((worker) => worker.process) ? "–" : html`<${Quiet}>${t("in_worker")}<//>`) },
  { label: t("problem"), look: "clip", cell: (one) => { const error = one.workers.find((worker) => worker.error)?.error; return error ? html`<span title=${error}>${error}</span>` : "–"; } },
];
