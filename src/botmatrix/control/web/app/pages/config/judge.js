// CorePlugin: open or closed, maintenance, lists, words and addresses. Each card is saved by itself and acts within a second.
import { ask } from "../../lib/api.js";
import { html, useState } from "../../lib/html.js";
import { t } from "../../lib/i18n.js";
import { Card, Notice, State } from "../../ui/basics.js";
import { Form } from "../../ui/form.js";
import { toast } from "../../ui/toast.js";
import { useAnswer, Skeleton } from "../../ui/table.js";
import { WordsOf } from "./words.js";

const PATH = "api/admin/core";

export function Judge() {
  const [version, setVersion] = useState(0);
  const { answer, error } = useAnswer(PATH, 0, version);
  if (!answer) return error ? html`<${Notice} look="bad">${error.message}<//>` : html`<${Skeleton}/>`;
  const save = async (change) => {
    await ask(PATH, { body: change });
    setVersion((before) => before + 1);
    toast(t("saved_acts"));
  };
  const { config } = answer;
  // A card begins anew when what it shows has changed, so that saving one loses nothing that was typed into another.
  const card = (shown) => ({ key: JSON.stringify(shown), config, save });
  const { permissions, sensitive_words: words, url_filter: urls } = config;
  return html`${!answer.published && html`<${Notice} look="warn">${t("not_published")}<//>`}
    <div class="columns"><${System} ...${card([config.enabled, config.system_control, config.statistics])}/><${Words} ...${card(words.system)}/></div>
    <div class="columns"><${People} ...${card(permissions.blacklist)} list="blacklist" title=${t("blacklist")}/><${People} ...${card(permissions.whitelist)} list="whitelist" title=${t("whitelist")}/></div>
    <${WordsOf} ...${card(words.group)} place="group" title=${t("words_of_groups")}/><${WordsOf} ...${card(words.robot)} place="robot" title=${t("words_of_bots")}/>
    <div class="columns"><${Addresses} ...${card(urls.blacklist)} list="blacklist" title=${t("url_blacklist")}/><${Addresses} ...${card(urls.whitelist)} list="whitelist" title=${t("url_whitelist")}/></div>`;
}

function System({ config, save }) {
  const { open, closed_reply, maintenance_mode, maintenance_reply } = config.system_control;
  const schema = { properties: {
    enabled: { type: "boolean", title: t("judge_on"), description: t("judge_on_what") },
    open: { type: "boolean", title: t("system_open"), description: t("system_open_what") },
    closed_reply: { type: "string", title: t("closed_reply"), maxLength: 2000, placeholder: t("no_reply") },
    maintenance_mode: { type: "boolean", title: t("maintenance"), description: t("maintenance_what") },
    maintenance_reply: { type: "string", title: t("maintenance_reply"), maxLength: 2000, placeholder: t("no_reply") },
    enable: { type: "boolean", title: t("count_messages") },
    record_blocked: { type: "boolean", title: t("record_blocked") },
  } };
  const send = ({ enabled, enable, record_blocked, ...system_control }) => save({ enabled, system_control, statistics: { enable, record_blocked } });
  const state = !config.enabled ? "judge_off" : !open ? "closed" : maintenance_mode ? "maintained" : "open";
  return html`<${Card} title=${t("system")} actions=${html`<${State} value=${state} look=${state === "open" ? "good" : "warn"}/>`}><${Form} schema=${schema}
    value=${{ enabled: config.enabled, open, closed_reply, maintenance_mode, maintenance_reply, ...config.statistics }} submit=${t("save")} onSubmit=${send}/><//>`;
}

function People({ config, save, list, title }) {
  const field = (name) => ({ type: "array", title: name, placeholder: "qq:10001" });
  const schema = { properties: { system: field(t("users")), group: field(t("groups")), robot: field(t("bots")) } };
  return html`<${Card} title=${title}><p class="text-secondary">${list === "blacklist" ? t("blacklist_what") : t("whitelist_what")}</p><${Form} schema=${schema}
    value=${config.permissions[list]} submit=${t("save")} onSubmit=${(values) => save({ permissions: { [list]: values } })}/><//>`;
}

export const levelSchema = () => ({ properties: {
  plain: { type: "array", title: t("words"), description: t("words_hint"), rows: 6 },
  regex: { type: "array", title: t("expressions"), description: t("expressions_hint"), placeholder: "free\\s+coins" },
} });

const Words = ({ config, save }) => html`<${Card} title=${t("sensitive_words")}><p class="text-secondary">${t("sensitive_words_what")}</p><${Form} schema=${levelSchema()}
  value=${config.sensitive_words.system} submit=${t("save")} onSubmit=${(system) => save({ sensitive_words: { system } })}/><//>`;

function Addresses({ config, save, list, title }) {
  const schema = { properties: {
    domain_suffix: { type: "array", title: t("domains"), description: t("domains_hint"), placeholder: "example.com" },
    exact: { type: "array", title: t("whole_addresses"), placeholder: "https://example.com/page" },
    regex: { type: "array", title: t("expressions"), placeholder: "^https?://[^/]+/casino" },
  } };
  return html`<${Card} title=${title}>${list === "whitelist" && html`<p class="text-secondary">${t("url_whitelist_what")}</p>`}<${Form} schema=${schema} value=${config.url_filter[list]}
    submit=${t("save")} onSubmit=${(values) => save({ url_filter: { [list]: values } })}/><//>`;
}
