// The small parts: icon, badge, state, copy button, notices.
import { html, useState } from "../lib/html.js";
import { t, word } from "../lib/i18n.js";

const SPRITE = `${document.documentElement.dataset.assets}/vendor/sprite.svg`;

export function Icon({ name, label }) {
  const said = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return html`<svg class="icon" width="20" height="20" viewBox="0 0 24 24" fill="none" stroke="currentColor"
    stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" ...${said}><use href=${`${SPRITE}#${name}`}/></svg>`;
}

const LOOKS = {
  online: "good", alive: "good", fine: "good", done: "good", answered: "good", passed: "good", lane: "good",
  degraded: "warn", connecting: "warn", draining: "warn", drained: "quiet", waiting: "warn", parked: "warn", under_way: "warn", expired: "warn",
  warning: "warn", offline: "quiet", silent: "quiet", duplicate: "quiet", info: "quiet", debug: "quiet", disabled: "quiet",
};

export const State = ({ value, look }) =>
  html`<span class=${`state ${look || LOOKS[value] || "bad"}`}><i aria-hidden="true"></i>${word("state", value)}</span>`;

export const Quiet = ({ children }) => html`<span class="text-secondary">${children}</span>`;

export function Notice({ look = "info", title, children }) {
  const icon = look === "info" ? "info-circle" : "alert-triangle";
  return html`<div class=${`notice ${look}`} role=${look === "info" ? "status" : "alert"}>
    <${Icon} name=${icon}/><div>${title && html`<strong>${title}</strong>`}${title && " "}${children}</div></div>`;
}

export function Button({ icon, children, look = "", onClick, ...rest }) {
  const [busy, setBusy] = useState(false);
  const press = async (event) => {
    setBusy(true);
    try {
      await onClick?.(event);
    } finally {
      setBusy(false);
    }
  };
  return html`<button type="button" class=${`btn ${look}`} disabled=${busy} onClick=${press} ...${rest}>
    ${icon && html`<${Icon} name=${icon}/>`}${children}</button>`;
}

export function Copy({ text, label }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    if (!(await copied(text))) return;
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return html`<${Button} look="btn-sm" icon=${done ? "check" : "copy"} onClick=${copy} aria-label=${label && `${t("copy")}: ${label}`}>
    ${done ? t("copied") : t("copy")}<//>`;
}

// Without a secure address browsers offer no clipboard: then through a selection.
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    (document.querySelector("dialog[open]") || document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

export const Empty = ({ icon = "inbox", title, children }) => html`<div class="nothing">
  <${Icon} name=${icon}/><p class="h3">${title}</p><div class="text-secondary">${children}</div></div>`;

export const Head = ({ title, children }) => html`<div class="page-head"><h1>${title}</h1><div class="actions">${children}</div></div>`;

export const Card = ({ title, actions, children, flush }) => html`<section class="card">
  ${title && html`<div class="card-header"><h2 class="card-title">${title}</h2><div class="card-actions">${actions}</div></div>`}
  ${flush ? children : html`<div class="card-body">${children}</div>`}</section>`;

export const Facts = ({ rows }) => html`<dl class="facts">${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
