// Language and theme.
import { html, signal } from "./lib/html.js";
import { choose, LANGUAGES, language, t } from "./lib/i18n.js";
import { keep, kept } from "./lib/keep.js";
import { Icon } from "./ui/basics.js";

const THEMES = { light: "sun", dark: "moon", system: "device-desktop" };
export const theme = signal(kept("theme", "system"));

export function chooseTheme(wanted) {
  theme.value = wanted;
  keep("theme", wanted);
  dispatchEvent(new Event("themechosen"));
}

function next() {
  const names = Object.keys(THEMES);
  chooseTheme(names[(names.indexOf(theme.value) + 1) % names.length]);
}

export const themeNames = () => ({ light: t("theme_light"), dark: t("theme_dark"), system: t("theme_system") });

export const Appearance = () => html`<div class="appearance">
  <label class="visually-hidden" for="language">${t("language")}</label>
  <select id="language" class="form-select form-select-sm" value=${language.value} onChange=${(event) => choose(event.target.value)}>
    ${Object.entries(LANGUAGES).map(([value, name]) => html`<option value=${value} lang=${value}>${name}</option>`)}</select>
  <button type="button" class="btn btn-icon btn-sm" title=${themeNames()[theme.value]} aria-label=${`${t("theme")}: ${themeNames()[theme.value]}`} onClick=${next}>
    <${Icon} name=${THEMES[theme.value] || "sun"}/></button></div>`;
