// The first start, step by step: the password, a client, its handshake as it arrives, the first message.
import { ask, me } from "../lib/api.js";
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { clock, t, translated, whole, word } from "../lib/i18n.js";
import { live, simulated, watch } from "../lib/live.js";
import { adjust, link, route } from "../lib/route.js";
import { Button, Copy, Head, Icon, Notice, State } from "../ui/basics.js";
import { Form } from "../ui/form.js";
import { QrCode } from "../ui/qr.js";
import { useAnswer } from "../ui/table.js";
import { toast } from "../ui/toast.js";
import { Client, Message } from "./bot.js";

const EXAMPLE = "10001";
const LOOK_EVERY = 2;

export default function Setup() {
  const bots = (live.bots.value?.data || []).filter((one) => one.state === "online" && !simulated(one.bot));
  const chosen = bots.find((one) => one.bot === route.value.params.bot) || bots[0];
  const [talked, setTalked] = useState(false);
  return html`<${Head} title=${t("setup")}/><p class="text-secondary lead">${t("setup_what")}</p><ol class="setup">
    <${Step} number="1" title=${t("setup_password")} done=${!me.value.generated_password}><${Password}/><//>
    <${Step} number="2" title=${t("setup_client")} done=${bots.length > 0}><${Connect}/><//>
    <${Step} number="3" title=${t("setup_watch")} done=${bots.length > 0}><${Watch} bots=${bots}/><//>
    <${Step} number="4" title=${t("setup_talk")} done=${talked}>${chosen ? html`<${Talk} key=${chosen.bot} bot=${chosen} bots=${bots} onTalk=${() => setTalked(true)}/>`
      : html`<p class="text-secondary">${t("setup_talk_later")} <a href=${link("chat")}>${t("chat")}</a></p>`}<//></ol>`;
}

const Step = ({ number, title, done, children }) => html`<li class=${`card ${done ? "done" : ""}`}><div class="card-header"><span class="step" aria-hidden="true">${done ? html`<${Icon} name="check"/>` : number}</span>
  <h2 class="card-title">${title}${done && html`<span class="visually-hidden"> (${t("state.done")})</span>`}</h2></div><div class="card-body">${children}</div></li>`;

function Password() {
  if (!me.value.generated_password) return html`<p class="text-secondary">${t("setup_password_done")} <a href=${link("account")}>${t("account")}</a></p>`;
  const change = async (values) => {
    me.value = await ask("api/user/password", { body: values });
    toast(t("password_changed"));
  };
  const schema = { required: ["old_password", "new_password"], properties: {
    old_password: { type: "string", format: "password", title: t("generated_password"), description: t("login_hint"), autocomplete: "current-password" },
    new_password: { type: "string", format: "password", title: t("new_password"), minLength: 8, autocomplete: "new-password" },
  } };
  return html`<${Form} schema=${schema} submit=${t("change_password")} onSubmit=${change}/>`;
}

function Connect() {
  const { answer, error } = useAnswer("api/connect-info", 0);
  const [shown, setShown] = useState(false);
  const [qr, setQr] = useState("url");
  if (!answer) return error ? html`<${Notice} look="bad">${error.message}<//>` : html`<div class="skeleton" role="status" aria-label=${t("loading")}><span class="w7"></span></div>`;
  const number = /^\d{1,19}$/.test(route.value.params.number || "") ? route.value.params.number : EXAMPLE;
  const kinds = [["url", t("first_url")], ...(answer.token ? [["token", t("first_token")]] : [])];
  return html`<p>${t("first_client")}</p><div class="connect"><dl class="facts"><div><dt>${t("first_url")}</dt><dd class="file-line"><code>${answer.url}</code><${Copy} text=${answer.url} label=${t("first_url")}/></dd></div>
      <div><dt>${t("first_token")}</dt><dd class="file-line">${answer.token ? html`<code>${shown ? answer.token : "•".repeat(16)}</code><span class="actions"><${Button} look="btn-sm" icon="eye"
        aria-pressed=${shown} onClick=${() => setShown(!shown)}>${shown ? t("hide") : t("show")}<//><${Copy} text=${answer.token} label=${t("first_token")}/></span>` : t("no_token")}</dd></div>
      <div><dt><label for="number">${t("bot_number")}</label></dt><dd><input id="number" class="form-control" inputmode="numeric" maxlength="19" placeholder=${EXAMPLE} value=${route.value.params.number || ""}
        onInput=${(event) => adjust({ number: event.target.value })}/></dd></div></dl>
    <figure><${QrCode} text=${answer[qr]} label=${`${t("qr_code")}: ${qr === "url" ? answer.url : t("first_token")}`}/><figcaption class="btn-group" role="group" aria-label=${t("qr_code")}>${kinds.map(([kind, name]) => html`<button
      type="button" class=${`btn btn-sm ${kind === qr ? "active" : ""}`} aria-pressed=${kind === qr} onClick=${() => setQr(kind)}>${name.replace(/[:：]$/, "")}</button>`)}</figcaption></figure></div>
  <${Client} id=${`qq:${number}`}/>`;
}

// Who came, and who was turned away since this page was opened, and why.
function Watch({ bots }) {
  const [since] = useState(() => Date.now() / 1000 - 60);
  const { answer } = useAnswer("api/handshakes?size=5", LOOK_EVERY);
  const refused = (answer?.handshakes || []).filter((one) => one.at >= since);
  return html`<div role="status">${bots.length ? html`<ul class="arrived">${bots.slice(0, 10).map((one) => html`<li key=${one.bot}><${State} value=${one.state}/><a class="mono strong" href=${link("bots", one.bot)}>${one.bot}</a><span>${one.nickname}</span></li>`)}
      ${bots.length > 10 && html`<li>… ${whole(bots.length)}</li>`}</ul>` : html`<p class="waiting"><span class="beat" aria-hidden="true"></span>${t("setup_waiting")}</p>`}</div>
    ${refused.map((one) => html`<${Notice} look="bad" title=${`${clock(one.at)} ${one.self_id || one.remote}: ${one.status} ${word("reason", one.reason)}.`}>${translated(one.cure)}<//>`)}`;
}

function Talk({ bot, bots, onTalk }) {
  const heard = useTalk(bot.bot, onTalk);
  const choice = bots.length > 1 && html`<select class="form-select choose" aria-label=${t("bot")} value=${bot.bot} onChange=${(event) => adjust({ bot: event.target.value })}>
    ${bots.map((one) => html`<option value=${one.bot}>${one.bot} ${one.nickname}</option>`)}</select>`;
  return html`${choice}<p>${t("setup_say", { name: bot.nickname || bot.bot })} <code>/ping</code></p>
    ${heard.length ? html`<ul class="arrived">${heard.map((one) => html`<li key=${one.id}><span class="mono">${one.user}</span><span>${one.text}</span><${State} value=${one.outcome}/><a href=${link("trace", one.id)}>${t("trace")}</a></li>`)}</ul>`
      : html`<p class="waiting"><span class="beat" aria-hidden="true"></span>${t("setup_listening")}</p>`}
    <details class="raw inner"><summary><${Icon} name="send"/>${t("setup_or_send")}</summary><${Message} id=${bot.bot} onAnswer=${(answer) => answer.success && onTalk()}/></details>`;
}

// What this bot hears from now on, and what becomes of it.
function useTalk(bot, onTalk) {
  const [heard, setHeard] = useState([]);
  const told = useRef(onTalk);
  told.current = onTalk;
  useEffect(() => watch((batch) => {
    for (const hop of batch.hops) {
      if (hop.part === "heard" && hop.bot === bot && hop.kind?.startsWith("message")) {
        setHeard((before) => [...before, { id: hop.id, user: hop.user, text: hop.text, outcome: hop.reason ? "blocked" : "under_way" }].slice(-5));
      } else if (hop.part === "ran" || hop.part === "acted") {
        const outcome = hop.part === "acted" ? (hop.state === "DONE" ? "answered" : "failed") : hop.outcome === "dead" ? "failed" : hop.actions ? "answered" : "silent";
        setHeard((before) => before.map((one) => (one.id === hop.id ? { ...one, outcome } : one)));
        if (hop.part === "acted" && hop.bot === bot && outcome === "answered") told.current();
      }
    }
  }), [bot]);
  return heard;
}
