// Short messages that go by themselves; failures stay until they are closed.
import { html, signal } from "../lib/html.js";
import { t } from "../lib/i18n.js";
import { Icon } from "./basics.js";

const shown = signal([]);
let last = 0;

export function toast(text, look = "good") {
  const id = (last += 1);
  shown.value = [...shown.value, { id, text, look }].slice(-4);
  if (look !== "bad") setTimeout(() => drop(id), look === "good" ? 5000 : 10000);
}

export const failed = (error) => toast(error.message, "bad");

const drop = (id) => { shown.value = shown.value.filter((one) => one.id !== id); };

export const Toasts = () => html`<div class="toasts" role="status" aria-live="polite">
  ${shown.value.map((one) => html`<div key=${one.id} class=${`toast-note ${one.look}`}>
    <span>${one.text}</span>
    <button type="button" class="btn btn-icon btn-sm btn-ghost-secondary" aria-label=${t("close")} onClick=${() => drop(one.id)}><${Icon} name="x"/></button>
  </div>`)}</div>`;
