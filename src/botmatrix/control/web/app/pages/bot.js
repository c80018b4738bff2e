// One bot: how it stands, its token, its client's configuration, and having it do something.
import { ask, may, query } from "../lib/api.js";
import { html, useState } from "../lib/html.js";
import { exact, t, translated, whole } from "../lib/i18n.js";
import { link } from "../lib/route.js";
import { Button, Card, Copy, Facts, Head, Notice, State } from "../ui/basics.js";
import { dialog } from "../ui/dialog.js";
import { Form } from "../ui/form.js";
import { toast } from "../ui/toast.js";
import { useAnswer } from "../ui/table.js";

const CLIENTS = ["napcat", "llonebot", "lagrange", "go-cqhttp"];
const APPS = ["nonebot2", "koishi", "astrbot"];
const at = (id) => `api/bots/${encodeURIComponent(id)}`;

export function OneBot({ id }) {
  const { answer, error } = useAnswer(at(id), 3);
  const actions = html`${may("admin") && html`<${Button} icon="key" onClick=${() => changeToken(id)}>${t("token")}<//>`}
    ${may("operator") && html`<${Button} icon="ban" onClick=${() => kick(id)}>${t("kick")}<//>`}`;
  return html`<nav class="back" aria-label=${t("back")}><a href=${link("bots")}>${t("bots")}</a> / <span>${id}</span></nav>
    <${Head} title=${answer?.bot.nickname || id}>${answer && actions}<//>
    ${error && html`<${Notice} look="bad">${error.message}<//>`}
    ${answer && html`<div class="columns"><div class="stack"><${Card} title=${html`<${State} value=${answer.bot.state}/>`}><${Facts} rows=${facts(answer.bot)}/><//>
        ${answer.bot.platform === "qq" && html`<${Client} id=${id}/>`}</div>
      <div class="stack">${may("operator") && html`<${Message} id=${id}/><${Act} id=${id}/>`}<${Client} id=${id} title=${t("app_config")} choices=${APPS}/></div></div>`}`;
}

const moments = (value) => (value ? exact(value) : "–");
const facts = (bot) => [
  [t("bot"), html`<span class="mono">${bot.bot}</span>`], [t("nickname"), bot.nickname || "–"], [t("since"), moments(bot.since)],
  [t("last_event"), moments(bot.last_event_at)], [t("groups"), whole(bot.groups)],
  [t("received"), `${whole(bot.total_received)} (${t("now_n", { n: whole(bot.received) })})`], [t("sent"), `${whole(bot.total_sent)} (${t("now_n", { n: whole(bot.sent) })})`],
  [t("failed_actions"), whole(bot.total_failed)], [t("nexus"), html`<span class="mono">${bot.nexus || "–"}</span>`], [t("link"), bot.link || "–"],
  [t("address"), html`<span class="mono">${bot.remote || "–"}</span>`], [t("client"), bot.user_agent || "–"], [t("first_seen"), moments(bot.first_seen)],
];

// A form that has the bot say something; `onAnswer` gets what the bot answered.
export function Message({ id, onAnswer }) {
  const [said, setSaid] = useState(null);
  const schema = { required: ["kind", "target", "text"], properties: {
    kind: { type: "string", title: t("to"), enum: ["private", "group"], names: [t("person"), t("group")], default: "private" },
    target: { type: "string", title: t("number"), maxLength: 64 },
    text: { type: "string", format: "textarea", rows: 2, title: t("text"), default: t("hello") },
  } };
  const send = async ({ kind, target, text }) => {
    const whom = /^\d{1,15}$/.test(target) ? Number(target) : target;
    const params = { message_type: kind, [kind === "group" ? "group_id" : "user_id"]: whom, message: [{ type: "text", data: { text } }] };
    const answer = await ask("api/action", { body: { bot: id, action: "send_msg", params } });
    setSaid(answer);
    onAnswer?.(answer);
  };
  return html`<${Card} title=${t("test_message")}><${Form} schema=${schema} submit=${t("send")} onSubmit=${send}/><${Answer} said=${said}/><//>`;
}

function Act({ id }) {
  const [said, setSaid] = useState(null);
  const schema = { required: ["action"], properties: {
    action: { type: "string", title: t("action"), maxLength: 100, default: "get_login_info",
      suggestions: ["get_login_info", "get_status", "get_version_info", "get_group_list", "get_friend_list", "get_group_member_list"] },
    params: { type: "string", format: "textarea", title: t("parameters"), default: "{}" },
  } };
  const call = async ({ action, params }) => {
    let read;
    try {
      read = JSON.parse(params || "{}");
    } catch {
      throw new Error(t("not_json"));
    }
    setSaid(await ask("api/action", { body: { bot: id, action, params: read } }));
  };
  return html`<${Card} title=${t("any_action")}><${Form} schema=${schema} submit=${t("call")} onSubmit=${call}/><${Answer} said=${said}/><//>`;
}

const Answer = ({ said }) => said && html`<div class="answer" role="status"><${State} value=${said.success ? "done" : "failed"}/>
  <pre class="payload">${JSON.stringify({ status: said.status, retcode: said.retcode, data: said.data, message: said.message }, null, 2)}</pre></div>`;

// What to paste into the client of this bot.
// Ready to paste into one of `choices`: clients of a bot, or applications that serve it.
export function Client({ id, title = t("client_config"), choices = CLIENTS }) {
  const [client, setClient] = useState(choices[0]);
  const { answer, error } = useAnswer(`${at(id)}/config${query({ for: client })}`, 0);
  return html`<${Card} title=${title}><div class="btn-group" role="group" aria-label=${title}>${choices.map((one) => html`<button type="button"
    class=${`btn btn-sm ${one === client ? "active" : ""}`} aria-pressed=${one === client} onClick=${() => setClient(one)}>${one}</button>`)}</div>
    ${error && html`<${Notice} look="bad">${error.message}<//>`}${answer && html`<${Config} config=${answer}/>`}<//>`;
}

const Config = ({ config }) => html`<p class="text-secondary">${translated(config.note)}</p>${!config.complete && html`<${Notice} look="warn">${t("token_missing")}<//>`}
  <div class="file"><span class="mono">${config.file}</span><${Copy} text=${config.text} label=${config.file}/></div><pre class="payload">${config.text}</pre>
  ${config.onebot_app && html`<p class="hint-end">${t("or_dial_it")} ${may("owner") && html`<a href=${link("config", "connections")}>${t("connections")}</a>`}</p>
    <pre class="payload">${JSON.stringify(config.onebot_app, null, 2)}</pre>`}`;

function changeToken(id) {
  const act = (action) => async (close) => {
    const answer = await ask(`${at(id)}/token`, { body: { action } });
    close();
    if (answer.token) showToken(id, answer.token);
    else toast(t("token_cleared"));
  };
  dialog(t("token_of", { id }), (close) => {
    const schema = { properties: { action: { type: "string", title: t("action"), enum: ["generate", "clear"], names: [t("token_generate"), t("token_clear")], default: "generate" } } };
    return html`<p>${t("token_what")}</p><${Form} schema=${schema} submit=${t("do_it")} onCancel=${close} onSubmit=${({ action }) => act(action)(close)}/>`;
  });
}

const showToken = (id, token) => dialog(t("token_of", { id }), () => html`<${Notice} look="warn">${t("shown_once")}<//>
  <div class="file"><code>${token}</code><${Copy} text=${token} label=${t("token")}/></div>`);

function kick(id) {
  dialog(t("kick_title", { id }), (close) => {
    const schema = { properties: { ban: { type: "integer", title: t("ban_seconds"), description: t("ban_hint"), minimum: 0, maximum: 2592000, default: 0 } } };
    const act = async ({ ban }) => {
      await ask(`${at(id)}/kick`, { body: { ban: ban || 0 } });
      toast(t("kicked", { id }));
      close();
    };
    return html`<p>${t("kick_what")}</p><${Form} schema=${schema} submit=${t("kick")} danger onCancel=${close} onSubmit=${act}/>`;
  });
}
