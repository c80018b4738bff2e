// Alert rules: what is watched, who is told and how; and what they raised.
import { ask } from "../../lib/api.js";
import { html, useState } from "../../lib/html.js";
import { exact, moment, t, translated, whole, word } from "../../lib/i18n.js";
import { Button, Card, Empty, Quiet, State } from "../../ui/basics.js";
import { confirm, dialog } from "../../ui/dialog.js";
import { Form } from "../../ui/form.js";
import { failed, toast } from "../../ui/toast.js";
import { List, Rows } from "../../ui/table.js";

const PATH = "api/alerts";
const KINDS = ["bot_offline", "worker_away", "too_few_workers", "queue_depth", "dead_letters", "redis_away"];
const USUAL = { bot_offline: 60, worker_away: 60, too_few_workers: 1, queue_depth: 1000, dead_letters: 0, redis_away: 30 };
const SUBJECT = { bot_offline: "qq:10001", worker_away: "worker-1", too_few_workers: "default" };

export function AlertRules() {
  const [version, setVersion] = useState(0);
  const [rules, setRules] = useState([]);
  const again = () => setVersion((before) => before + 1);
  return html`<${Card} title=${t("alert_rules")} flush actions=${html`<${Button} look="btn-sm" icon="plus" onClick=${() => choose(again)}>${t("add")}<//>`}>
      ${rules.length ? html`<${Rules} ...${{ rules, again }}/>` : html`<${Empty} icon="bell" title=${t("no_alert_rules")}>${t("no_alert_rules_what")}<//>`}<//>
    <${Card} title=${t("alerts")} flush><${List} label=${t("alerts")} path=${PATH} plural="alerts" every=${10} version=${version} search=${false} onAnswer=${(answer) => setRules(answer.rules)} columns=${[
      { label: t("state"), cell: (one) => html`<${State} value=${one.ended_at ? "over" : "lasts"} look=${one.ended_at ? "quiet" : "bad"}/>` },
      { label: t("since"), cell: (one) => html`<span title=${exact(one.started_at)}>${moment(one.started_at)}</span>` },
      { label: t("until"), cell: (one) => moment(one.ended_at) }, { label: t("rule"), cell: (one) => one.rule }, { label: t("what"), cell: (one) => translated(one.message) },
      { label: t("told"), cell: (one) => (one.problem ? html`<span class="text-secondary">${translated(one.problem)}</span>` : one.told ? t("yes") : t("not_yet")) },
    ]} empty=${{ icon: "check", title: t("no_alerts"), what: t("no_alerts_what") }}/><//>`;
}

const told = (rule) => [rule.webhook && html`<span class="mono">${rule.webhook}</span>`, rule.mail, rule.bot && `${rule.bot} → ${rule.target}`].filter(Boolean);

const Rules = ({ rules, again }) => html`<${Rows} label=${t("alert_rules")} rows=${rules} columns=${[
  { label: t("name"), look: "strong", cell: (one) => one.name },
  { label: t("watches"), cell: (one) => html`${word("alert", one.kind)} ${one.subject && html`<span class="mono">${one.subject}</span>`}` },
  { label: t("threshold"), number: true, cell: (one) => word("threshold", one.kind, "{n}").replace("{n}", whole(one.threshold)) },
  { label: t("tells"), cell: (one) => { const all = told(one); return all.length ? all.map((who) => html`<div>${who}</div>`) : html`<${Quiet}>${t("console_only")}<//>`; } },
  { label: t("state"), cell: (one) => html`<${State} value=${one.enabled ? "acts" : "disabled"} look=${one.enabled ? "good" : "quiet"}/>` },
  { look: "end", cell: (one) => html`<${Acts} ...${{ rule: one, again }}/>` },
]}/>`;

function Acts({ rule, again }) {
  const test = async () => {
    try {
      await ask(PATH, { body: { action: "test", id: rule.id } });
      toast(t("alert_tested", { name: rule.name }));
    } catch (error) {
      failed(error);
    }
  };
  const remove = () => confirm(t("delete"), t("delete_alert_what", { name: rule.name }), t("delete"), async () => {
    await ask(PATH, { body: { action: "delete", id: rule.id } });
    again();
  });
  return html`${told(rule).length > 0 && html`<${Button} look="btn-sm" icon="send" aria-label=${`${t("test")} ${rule.name}`} onClick=${test}>${t("test")}<//> `}
    <${Button} look="btn-sm" icon="edit" aria-label=${`${t("edit")} ${rule.name}`} onClick=${() => edit(rule.kind, rule, again)}>${t("edit")}<//>
    <${Button} look="btn-sm btn-icon" icon="trash" aria-label=${`${t("delete")} ${rule.name}`} onClick=${remove}/>`;
}

// First what is to be watched, as the rest depends on it.
const choose = (again) => dialog(t("add_alert"), (close) => html`<ul class="picks">${KINDS.map((kind) => html`<li key=${kind}><button type="button" class="pick" onClick=${() => {
  close();
  edit(kind, null, again);
}}><strong>${word("alert", kind)}</strong><span class="text-secondary">${word("alert_about", kind)}</span></button></li>`)}</ul>`);

function edit(kind, rule, again) {
  const schema = { required: ["name", "threshold"], properties: {
    name: { type: "string", title: t("name"), maxLength: 64 },
    ...(SUBJECT[kind] ? { subject: { type: "string", title: word("alert_subject", kind), description: t("subject_hint"), placeholder: SUBJECT[kind], maxLength: 200 } } : {}),
    threshold: { type: "number", title: word("alert_threshold", kind), minimum: 0, maximum: 1e12 },
    webhook: { type: "string", title: t("webhook"), description: t("webhook_hint"), placeholder: rule?.webhook || "https://example.com/hook", maxLength: 2000 },
    mail: { type: "string", title: t("mail"), description: t("mail_hint"), placeholder: "ops@example.com", maxLength: 1000 },
    bot: { type: "string", title: t("through_bot"), description: t("through_bot_hint"), placeholder: "qq:10001", maxLength: 200 },
    target: { type: "string", title: t("say_to"), description: t("say_to_hint"), placeholder: "group:456", maxLength: 200 },
    enabled: { type: "boolean", title: t("alert_enabled"), default: true },
    ...(rule?.webhook ? { no_webhook: { type: "boolean", title: t("no_webhook") } } : {}),
  } };
  const value = rule ? { name: rule.name, subject: rule.subject, threshold: rule.threshold, mail: rule.mail, bot: rule.bot, target: rule.target, enabled: rule.enabled }
    : { name: word("alert", kind), threshold: USUAL[kind] };
  dialog(rule ? `${t("edit")} ${rule.name}` : word("alert", kind), (close) => {
    const save = async ({ webhook, no_webhook, ...values }) => {
      // The address of a webhook is never shown: an empty field leaves it as it is.
      const hook = no_webhook ? { webhook: "" } : webhook ? { webhook } : {};
      await ask(PATH, { body: { ...values, ...hook, ...(rule ? { action: "edit", id: rule.id } : { action: "create", kind }) } });
      close();
      again();
    };
    return html`<${Form} schema=${schema} value=${value} submit=${t("save")} onCancel=${close} onSubmit=${save}/>`;
  });
}
