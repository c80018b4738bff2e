// Config Center: everything that can be set, where each value comes from, and what waits for a restart.
import { html, useState } from "../lib/html.js";
import { t } from "../lib/i18n.js";
import { Button, Card, Head, Notice } from "../ui/basics.js";
import { Tabs } from "../ui/tabs.js";
import { useAnswer } from "../ui/table.js";
import { AlertRules } from "./config/alerts.js";
import { Engines } from "./config/engines.js";
import { Judge } from "./config/judge.js";
import { Limits } from "./config/limits.js";
import { Looks } from "./config/looks.js";
import { restart } from "./config/restart.js";
import { Dialled } from "./config/dialled.js";
import { SaveBar, Settings, settingName } from "./config/settings.js";

const CONNECTIONS = ["bot_token", "worker_token", "gateway_host", "ws_port", "nexus_id", "control_host", "webui_port", "root_path", "trusted_proxies", "max_frame"];
const ENGINES = ["database_url", "redis_url", "message_days", "trace_days", "audit_days", "record_sessions"];
const FIRST = ["enable_skill", "command_prefixes", "chat_admins", "log_level", "log_format", "default_admin_password"];
const MAIL = ["smtp_url", "mail_from"];
const ELSEWHERE = new Set([...CONNECTIONS, ...ENGINES, ...FIRST, ...MAIL, "bots", "onebot_apps"]);
const TABS = ["", "connections", "engines", "judge", "limits", "alerts", "appearance"];

export default function Config({ thing }) {
  const tab = TABS.includes(thing) ? thing : "";
  const [version, setVersion] = useState(0);
  const [draft, setDraft] = useState({});
  const { answer, error } = useAnswer("api/admin/config", 10, version);
  const again = () => setVersion((before) => before + 1);
  const held = { config: answer?.config, draft, setDraft };
  const body = answer && tabs(held, again)[tab]();
  return html`<${Head} title=${t("config")}><${Button} icon="refresh" onClick=${restart}>${t("restart")}<//><//>
    <${Tabs} label=${t("config")} page="config" chosen=${tab} tabs=${TABS.map((to) => ({ to, name: names()[to] }))}/>
    ${error && html`<${Notice} look="bad">${error.message}<//>`}
    ${answer?.needs_restart.length > 0 && html`<${Notice} look="warn" title=${t("waits_for_restart")}>${answer.needs_restart.map(settingName).join(", ")}.
      <button type="button" class="btn btn-sm" onClick=${restart}>${t("restart")}</button><//>`}
    ${body || (!error && html`<${Card}><div class="skeleton" role="status" aria-label=${t("loading")}><span class="w9"></span><span class="w7"></span></div><//>`)}
    ${answer && html`<${SaveBar} ...${held} onSaved=${again}/>`}`;
}

const names = () => ({ "": t("core_config"), connections: t("connections"), engines: t("engines"), judge: t("judge_tab"), limits: t("limits"), alerts: t("alerts"),
  appearance: t("theme") });

const tabs = (held, again) => ({
  "": () => html`<${Settings} ...${held} title=${t("core_config")} keys=${FIRST}/>
    <${Settings} ...${held} title=${t("workers_plugins")} keys=${Object.keys(held.config).filter((key) => !ELSEWHERE.has(key))}/>`,
  connections: () => html`<${Settings} ...${held} title=${t("connections")} keys=${CONNECTIONS}/><${Dialled} config=${held.config} again=${again}/>`,
  engines: () => html`<${Engines}/><${Settings} ...${held} title=${t("engines")} keys=${ENGINES}/>`,
  judge: () => html`<${Judge}/>`,
  limits: () => html`<${Limits}/>`,
  alerts: () => html`<${AlertRules}/><${Settings} ...${held} title=${t("mail_server")} keys=${MAIL}/>`,
  appearance: () => html`<${Looks}/>`,
});
