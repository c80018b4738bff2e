// What surrounds every page: where one can go, who one is, whether all is well.
import { ask, leave, me, reachable } from "./lib/api.js";
import { html, signal, useEffect, useState } from "./lib/html.js";
import { language, t, translated, word } from "./lib/i18n.js";
import { live, watch } from "./lib/live.js";
import { useReadiness } from "./lib/ready.js";
import { go, link, route } from "./lib/route.js";
import { Bell } from "./notices.js";
import { Appearance } from "./appearance.js";
import { allowed, PLACES } from "./places.js";
import { Empty, Icon, Notice } from "./ui/basics.js";
import { openPalette } from "./ui/palette.js";

const menu = signal(false);
// Pages of things whose names say more in a window's title than that of the page.
const THINGS = ["bots", "plugins", "trace"];

export function Shell() {
  useEffect(() => watch(), []);
  useEffect(() => {
    const press = (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        palette();
      } else if (event.key === "Escape") menu.value = false;
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  useEffect(() => { menu.value = false; }, [route.value]);
  return html`<a class="skip" href="#main" onClick=${toMain}>${t("skip")}</a>
    <div class=${`shell ${menu.value ? "menu-open" : ""}`}><${Side}/>
      <div class="stage"><${Top}/><main id="main" tabindex="-1"><${Health}/><${Urge}/><${Page}/></main></div></div>`;
}

function toMain(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

const palette = () => openPalette([
  ...allowed().map((one) => ({ name: one.name(), also: one.page, icon: one.icon, run: () => go(one.page) })),
  { name: t("logout"), icon: "logout", run: leave },
]);

const here = (one) => route.value.page === one.page || PLACES.some((other) => other.under === one.page && other.page === route.value.page);

const Side = () => html`<aside id="side"><a class="brand" href=${link("dashboard")}><img src="static/icon.svg" alt="" width="28" height="28"/>BotMatrix</a>
  <nav aria-label=${t("menu")}>${allowed().filter((one) => !one.hidden).map((one) => html`<a href=${link(one.page)}
    aria-current=${here(one) ? "page" : undefined}><${Icon} name=${one.icon}/>${one.name()}</a>`)}</nav>
  <div class="side-end"><a href="docs">${t("interface")}</a></div></aside>
  <button type="button" class="veil" tabindex="-1" aria-hidden="true" onClick=${() => { menu.value = false; }}></button>`;

const Top = () => html`<header class="top">
  <button type="button" class="btn btn-icon menu-button" aria-label=${t("menu")} aria-expanded=${menu.value} aria-controls="side"
    onClick=${() => { menu.value = !menu.value; }}><${Icon} name="menu-2"/></button>
  <button type="button" class="btn jump" onClick=${palette}><${Icon} name="search"/><span>${t("palette")}</span><kbd aria-hidden="true">Ctrl K</kbd></button>
  <span class="grow"></span><${Live}/><${Bell}/><${Appearance}/>
  <a class="who" href=${link("account")}><${Icon} name="user"/><span>${me.value.user.username}<small>${word("role", me.value.may)}</small></span></a>
  <button type="button" class="btn btn-icon btn-sm" title=${t("logout")} aria-label=${t("logout")} onClick=${leave}><${Icon} name="logout"/></button></header>`;

function Live() {
  const open = live.state.value === "open" && reachable.value;
  return html`<span class=${`state ${open ? "good" : "warn"}`} role="status"><i aria-hidden="true"></i><span class="live-word">${open ? t("live") : t("live_broken")}</span></span>`;
}

// Readiness of the whole matrix, in its own words.
function Health() {
  const state = useReadiness(10);
  if (!reachable.value) return html`<${Notice} look="bad">${t("unreachable")}<//>`;
  if (state && !state.ready) return html`<${Notice} look="bad" title=${t("not_ready")}>${unready(state)}<//>`;
  return state?.warnings.map((one) => html`<${Notice} look="warn">${translated(one)}<//>`);
}

const unready = ({ checks = {} }) => Object.entries(checks).filter(([, one]) => !one.ok)
  .map(([name, one]) => t("engine_says", { name: word("engine", name), what: translated(one.reason) })).join(t("between"));

const Urge = () => me.value.generated_password && html`<${Notice} look="warn">${t("urge")} <a href=${link("account")}>${t("change_password")}</a><//>`;

function Page() {
  const { page, thing } = route.value;
  const place = PLACES.find((one) => one.page === page);
  const [drawn, setDrawn] = useState(null);
  const [broken, setBroken] = useState(false);
  useEffect(() => {
    setBroken(false);
    place?.load().then((module) => setDrawn({ page, Draw: module.default }), () => setBroken(true));
  }, [page]);
  useEffect(() => { document.title = [THINGS.includes(page) && thing, place?.name(), "BotMatrix"].filter(Boolean).join(" · "); }, [page, thing, language.value]);
  if (!place || !allowed().includes(place)) return html`<${Empty} icon="lock" title=${t("no_page")}><a href=${link("dashboard")}>${t("dashboard")}</a><//>`;
  if (broken) return html`<${Notice} look="bad">${t("page_broken")} <button type="button" class="btn btn-sm" onClick=${() => location.reload()}>${t("reload")}</button><//>`;
  return drawn?.page === page && html`<${drawn.Draw} key=${page} thing=${thing}/>`;
}
