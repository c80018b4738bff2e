// What goes away and comes back while the console is open, and the alerts that last: at the bell, and said once.
import { ask, may, me } from "./lib/api.js";
import { html, signal, useEffect, useState } from "./lib/html.js";
import { exact, moment, t, translated, whole, word } from "./lib/i18n.js";
import { live, simulated } from "./lib/live.js";
import { link } from "./lib/route.js";
import { Icon, Quiet, State } from "./ui/basics.js";
import { toast } from "./ui/toast.js";

const KEPT = 50;
const EVERY = 15000;
const news = signal([]);
const unread = signal(0);
const lasting = signal([]);

function tell(text, look, href) {
  news.value = [{ at: Date.now() / 1000, text, look, href }, ...news.value].slice(0, KEPT);
  unread.value += 1;
  toast(text, look === "good" ? "good" : "warn");
}

// What was there in the picture before and is not, or the other way round. The first picture is no news.
function compare(kind, before, now) {
  if (!before) return;
  for (const [id, there] of now) if (there && before.get(id) === false) tell(word("back", kind).replace("{id}", id), "good", link(`${kind}s`));
  for (const [id, there] of before) if (there && !now.get(id)) tell(word("gone", kind).replace("{id}", id), "warn", link(`${kind}s`));
}

// A worker that is not told of any more stays known as gone.
function keep(before, now) {
  const gone = [...(before || [])].filter(([id]) => !now.has(id)).map(([id]) => [id, false]);
  return new Map([...gone, ...now]);
}

function useNews() {
  useEffect(() => {
    let bots = null;
    let workers = null;
    const forBots = live.bots.subscribe((found) => {
      if (!found) return;
      const now = new Map(found.data.filter((one) => !simulated(one.bot)).map((one) => [one.bot, one.state !== "offline"]));
      compare("bot", bots, now);
      bots = now;
    });
    const forWorkers = live.workers.subscribe((found) => {
      if (!found) return;
      const now = keep(workers, new Map(found.data.map((one) => [one.id, true])));
      compare("worker", workers, now);
      workers = now;
    });
    return () => {
      forBots();
      forWorkers();
    };
  }, [me.value?.user.id]);
}

function useLasting() {
  useEffect(() => {
    const look = () => ask("api/alerts?size=20").then((answer) => { lasting.value = answer.alerts.filter((one) => !one.ended_at); }, () => {});
    look();
    const timer = setInterval(look, EVERY);
    return () => clearInterval(timer);
  }, []);
}

export function Bell() {
  const [open, setOpen] = useState(false);
  useNews();
  useLasting();
  useEffect(() => {
    if (!open) return undefined;
    const away = (event) => { if (event.type === "keydown" ? event.key === "Escape" : !event.target.closest(".bell")) setOpen(false); };
    addEventListener("keydown", away);
    addEventListener("pointerdown", away);
    return () => {
      removeEventListener("keydown", away);
      removeEventListener("pointerdown", away);
    };
  }, [open]);
  const toggle = () => {
    setOpen(!open);
    unread.value = 0;
  };
  const count = unread.value + lasting.value.length;
  const label = count ? t("notices_n", { n: whole(count) }) : t("notices");
  return html`<div class="bell"><button type="button" class="btn btn-icon btn-sm" title=${label} aria-label=${label} aria-expanded=${open} aria-controls="notices" onClick=${toggle}>
      <${Icon} name="bell"/>${count > 0 && html`<span class="bell-count" aria-hidden="true">${count > 99 ? "99+" : count}</span>`}</button>
    ${open && html`<section id="notices" class="card notices" aria-label=${t("notices")}><${Lasting}/><${News}/>
      ${may("admin") && html`<p class="notices-end"><a href=${link("config", "alerts")}>${t("alert_rules")}</a></p>`}</section>`}</div>`;
}

const Lasting = () => lasting.value.length > 0 && html`<h2 class="h4">${t("alerts")}</h2><ul>${lasting.value.map((one) => html`<li key=${one.id}><${State} value="lasts" look="bad"/>
  <span>${translated(one.message)}</span><${Quiet}>${moment(one.started_at)}<//></li>`)}</ul>`;

const News = () => (news.value.length ? html`<h2 class="h4">${t("notices")}</h2><ul>${news.value.map((one) => html`<li><span class=${`state ${one.look}`}><i aria-hidden="true"></i></span>
  <a href=${one.href}>${one.text}</a><${Quiet}><span title=${exact(one.at)}>${moment(one.at)}</span><//></li>`)}</ul>`
  : !lasting.value.length && html`<p class="text-secondary">${t("no_notices")}</p>`);
