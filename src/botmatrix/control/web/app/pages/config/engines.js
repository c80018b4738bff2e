// How the two engines and the gateway stand.
import { html } from "../../lib/html.js";
import { t, translated, word } from "../../lib/i18n.js";
import { useReadiness } from "../../lib/ready.js";
import { Card, State } from "../../ui/basics.js";

export function Engines() {
  const state = useReadiness(5);
  return html`<${Card} title=${t("state")}><ul class="parts">${Object.entries(state?.checks || {}).map(([name, one]) => html`<li key=${name}>
    <span>${word("engine", name)}${one.reason && html`<br/><span class="text-secondary">${translated(one.reason)}</span>`}</span><${State} value=${one.ok ? "fine" : "away"}/></li>`)}</ul>
    <p class="text-secondary hint-end">${t("engines_what")}</p><//>`;
}
