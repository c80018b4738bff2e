// Language and theme.
import { html, signal } from "./lib/html.js";
import { choose, LANGUAGES, language, t } from "./lib/i18n.js";
import { keep, kept } from "./lib/keep.js";
import { Icon } from "./ui/basics.js";

const THEMES = { light: "sun", dark: "moon", system: "device-desktop" };
const theme = signal(kept("theme", "system"));

function next() {
  const names = Object.keys(THEMES);
  theme.value = names[(names.indexOf(theme.value) + 1) % names.length];
  keep("theme", theme.value);
  dispatchEvent(new Event("themechosen"));
}

const NAMES = () => ({ light: t("theme_light"), dark: t("theme_dark"), system: t("theme_system") });

export const Appearance = () => html`<div class="appearance">
  <label class="visually-hidden" for="language">${t("language")}</label>
  <select id="language" class="form-select form-select-sm" value=${language.value} onChange=${(event) => choose(event.target.value)}>
    ${Object.entries(LANGUAGES).map(([value, name]) => html`<option value=${value} lang=${value}>${name}</option>`)}</select>
  <button type="button" class="btn btn-icon btn-sm" title=${NAMES()[theme.value]} aria-label=${`${t("theme")}: ${NAMES()[theme.value]}`} onClick=${next}>
    <${Icon} name=${THEMES[theme.value] || "sun"}/></button></div>`;
