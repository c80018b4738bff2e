// Servers that the hub dials: OneBot applications, and bots that wait to be dialled.
import { ask, may, query } from "../../lib/api.js";
import { html } from "../../lib/html.js";
import { t, word } from "../../lib/i18n.js";
import { Button, Card, Notice, State } from "../../ui/basics.js";
import { confirm, dialog } from "../../ui/dialog.js";
import { Form } from "../../ui/form.js";
import { toast } from "../../ui/toast.js";
import { Rows, useAnswer } from "../../ui/table.js";

export const Dialled = ({ config, again }) => html`<${Apps} config=${config} again=${again}/><${Servers} one=${config.bots} again=${again}/>`;

const changes = (one) => may("owner") && !one.locked_by;

function Apps({ config, again }) {
  const { answer, error, again: look } = useAnswer("api/apps?size=500", 5);
  const one = config.onebot_apps;
  const rows = (answer?.apps || []).filter((app) => app.dialled);
  const done = () => {
    look();
    again();
    toast(t("saved_acts"));
  };
  const remove = (app) => confirm(t("delete"), t("delete_app_what", { name: app.name }), t("delete"), async () => {
    await ask(`api/apps${query({ name: app.name })}`, { method: "DELETE" });
    done();
  });
  return html`<${Card} title=${t("apps")} flush actions=${changes(one) && html`<${Button} look="btn-sm" icon="plus" onClick=${() => editApp(null, done)}>${t("add")}<//>`}>
    ${error && html`<${Notice} look="bad">${error.message}<//>`}
    ${rows.length ? html`<${Rows} label=${t("apps")} rows=${rows} columns=${[
      { label: t("name"), look: "strong", cell: (app) => app.name }, { label: t("address"), look: "mono", cell: (app) => app.url },
      { label: t("bots"), cell: (app) => app.bots.join(", ") || t("all_bots") }, { label: t("deliver"), cell: (app) => word("deliver", app.deliver) },
      { label: t("state"), cell: (app) => html`<${Line} app=${app}/>` },
      ...(changes(one) ? [{ look: "end", cell: (app) => html`<${Button} look="btn-sm" icon="edit" aria-label=${`${t("edit")} ${app.name}`} onClick=${() => editApp(app, done)}>${t("edit")}<//>
        <${Button} look="btn-sm btn-icon" icon="trash" aria-label=${`${t("delete")} ${app.name}`} onClick=${() => remove(app)}/>` }] : []),
    ]}/>` : html`<p class="pad text-secondary">${t("no_apps")}</p>`}<//>`;
}

function Line({ app }) {
  const broken = app.lines.find((one) => one.error);
  if (broken) return html`<${State} value="waiting_line"/> <small class="text-secondary">${broken.error}</small>`;
  return html`<${State} value=${app.attached.length ? "open_line" : "dialling"} look=${app.attached.length ? "good" : "quiet"}/>`;
}

function editApp(app, done) {
  const schema = { required: ["name", "url"], properties: {
    name: { type: "string", title: t("name"), maxLength: 64, readOnly: Boolean(app) },
    url: { type: "string", title: t("address"), placeholder: "ws://127.0.0.1:8080/onebot/v11/ws", maxLength: 2000 },
    token: { type: "string", format: "password", title: t("token"), placeholder: app?.token_set ? t("is_set") : "", maxLength: 500, autocomplete: "new-password" },
    bots: { type: "array", title: t("bots"), description: t("app_bots_hint"), placeholder: "qq:10001" },
    deliver: { type: "string", title: t("deliver"), enum: ["one", "all"], names: [word("deliver", "one"), word("deliver", "all")], default: "one" },
    format: { type: "string", title: t("app_format"), enum: ["", "array"], names: [t("as_it_came"), t("as_array")], default: "" },
  } };
  const value = app ? { name: app.name, url: app.url, bots: app.bots, deliver: app.deliver, format: app.format } : {};
  dialog(app ? `${t("edit")} ${app.name}` : t("apps"), (close) => {
    const save = async ({ token, ...values }) => {
      await ask("api/apps", { body: { ...values, ...(token ? { token } : {}) } });
      close();
      done();
    };
    return html`<${Form} schema=${schema} value=${value} submit=${t("save")} onCancel=${close} onSubmit=${save}/>`;
  });
}

// The setting `bots`. Tokens are never shown: an entry that comes without one keeps what it had.
function Servers({ one, again }) {
  const kept = one.value.map(({ token_set: _, secret_set: __, ...entry }) => entry);
  const put = async (entries) => {
    await ask("api/admin/config", { body: { bots: entries } });
    again();
    toast(t("saved_acts"));
  };
  const remove = (at) => confirm(t("delete"), t("delete_server_what", { name: kept[at].url || kept[at].http }), t("delete"), () => put(kept.filter((_, place) => place !== at)));
  const replace = (at, entry) => put(at === null ? [...kept, entry] : kept.map((before, place) => (place === at ? entry : before)));
  const rows = one.value.map((server, at) => ({ ...server, at }));
  return html`<${Card} title=${t("bot_servers")} flush actions=${changes(one) && html`<${Button} look="btn-sm" icon="plus" onClick=${() => editServer(null, replace)}>${t("add")}<//>`}>
    ${rows.length ? html`<${Rows} label=${t("bot_servers")} rows=${rows} columns=${[
      { label: t("address"), look: "mono", cell: (server) => server.url || server.http }, { label: t("platform"), cell: (server) => server.platform },
      { label: t("bot"), look: "mono", cell: (server) => server.self_id || "–" }, { label: t("token"), cell: (server) => (server.token_set ? t("is_set") : t("is_not_set")) },
      ...(changes(one) ? [{ look: "end", cell: (server) => html`<${Button} look="btn-sm" icon="edit" onClick=${() => editServer(server, replace)}
          aria-label=${`${t("edit")} ${server.url || server.http}`}>${t("edit")}<//>
        <${Button} look="btn-sm btn-icon" icon="trash" aria-label=${`${t("delete")} ${server.url || server.http}`} onClick=${() => remove(server.at)}/>` }] : []),
    ]}/>` : html`<p class="pad text-secondary">${t("no_bot_servers")}</p>`}<//>`;
}

function editServer(server, replace) {
  const schema = { required: ["address"], properties: {
    address: { type: "string", title: t("address"), description: t("bot_server_hint"), placeholder: "ws://127.0.0.1:6700", maxLength: 2000 },
    self_id: { type: "string", title: t("bot_number"), description: t("http_only"), maxLength: 128 },
    platform: { type: "string", title: t("platform"), default: "qq", maxLength: 64 },
    token: { type: "string", format: "password", title: t("token"), placeholder: server?.token_set ? t("is_set") : "", maxLength: 500, autocomplete: "new-password" },
    secret: { type: "string", format: "password", title: t("bot_secret"), description: t("http_only"), placeholder: server?.secret_set ? t("is_set") : "", maxLength: 500,
      autocomplete: "new-password" },
    quick: { type: "number", title: t("quick_seconds"), description: t("http_only"), minimum: 0, maximum: 10, default: 0 },
  } };
  const value = server ? { ...server, address: server.url || server.http } : {};
  dialog(server ? t("edit") : t("bot_servers"), (close) => {
    const save = async ({ address, self_id, platform, token, secret, quick }) => {
      const http = /^https?:/i.test(address);
      const extra = { ...(token ? { token } : {}), ...(http ? { self_id, quick: quick || 0, ...(secret ? { secret } : {}) } : {}) };
      await replace(server ? server.at : null, { [http ? "http" : "url"]: address, platform, ...extra });
      close();
    };
    return html`<${Form} schema=${schema} value=${value} submit=${t("save")} onCancel=${close} onSubmit=${save}/>`;
  });
}
