// A cron expression in words, and the next moments, as the server counts them.
import { ask, query } from "../../lib/api.js";
import { html, useEffect, useState } from "../../lib/html.js";
import { exact, t } from "../../lib/i18n.js";
import { cronWords } from "./words.js";

const PAUSE = 350;

export function Fires({ cron, zone }) {
  const [state, setState] = useState({});
  useEffect(() => {
    if (!cronWords(cron)) return undefined;
    const look = () => ask(`api/tasks/preview${query({ cron, time_zone: zone })}`).then((answer) => setState({ next: answer.next }), (error) => setState({ error }));
    const timer = setTimeout(look, PAUSE);
    return () => clearTimeout(timer);
  }, [cron, zone]);
  if (!cronWords(cron)) return html`<small class="form-hint">${t("cron_hint")}</small>`;
  return html`<small class="form-hint fires" role="status">${!state.error && html`<strong>${cronWords(cron)}</strong>`}
    ${state.error ? html`<span class="said-bad">${state.error.message}</span>` : state.next?.map((at) => html`<span>${exact(at)}</span>`)}</small>`;
}
