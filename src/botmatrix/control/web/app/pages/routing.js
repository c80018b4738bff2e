// Who is served by which worker: the rules, and trying them.
import { ask, may, query } from "../lib/api.js";
import { html, useState } from "../lib/html.js";
import { moment, t, translated, whole, word } from "../lib/i18n.js";
import { Button, Head, State } from "../ui/basics.js";
import { confirm, dialog } from "../ui/dialog.js";
import { failed, toast } from "../ui/toast.js";
import { Form } from "../ui/form.js";
import { List } from "../ui/table.js";
import { Tabs } from "../ui/tabs.js";
import { Try } from "./explain.js";
import { GroupPolicies } from "./routing/groups.js";
import { isWildcard, move, said } from "./routing/order.js";

const PATH = "api/admin/routing";
const MOST = 500;

export default function Routing({ thing }) {
  const [version, setVersion] = useState(0);
  const again = () => setVersion((before) => before + 1);
  const tab = thing in TABS ? thing : "";
  const names = { "": t("rules"), groups: t("group_policies"), try: t("try_it") };
  const tools = may("admin") && html`<${Button} icon="upload" onClick=${() => bring(again)}>${t("import")}<//><${Button} icon="download" onClick=${save}>${t("export")}<//>
    <${Button} icon="plus" look="btn-primary" onClick=${() => edit(null, again)}>${t("add_rule")}<//>`;
  return html`<${Head} title=${t("routing")}>${tab === "" && tools}<//><${Tabs} label=${t("routing")} page="routing" chosen=${tab}
      tabs=${Object.entries(names).map(([to, name]) => ({ to, name }))}/>
    <${TABS[tab]} version=${version} again=${again}/>`;
}

const Rules = ({ version, again }) => html`<div class="card"><${List} label=${t("rules")} path=${PATH} plural="rules" by="key" asked=${{ sort: "-priority" }} every=${10} version=${version} columns=${[
  { key: "key", label: t("about_whom"), look: "mono strong", cell: (one) => one.key },
  { key: "worker_id", label: t("target"), look: "mono", cell: (one) => one.worker_id },
  { key: "deliver", label: t("deliver"), cell: (one) => word("deliver", one.deliver) },
  { key: "fallback", label: t("fallback"), cell: (one) => word("fallback", one.fallback) },
  { key: "priority", label: t("priority"), number: true, cell: (one) => whole(one.priority) },
  { label: t("state"), cell: (one) => html`<${State} value=${one.implicit ? "implicit" : one.disabled ? "disabled" : "acts"} look=${one.disabled || one.implicit ? "quiet" : "good"}/>` },
  { key: "created", label: t("since"), look: "minor", cell: (one) => moment(one.created) },
  ...(may("admin") ? [{ look: "end", cell: (one) => !one.implicit && html`<${Acts} rule=${one} again=${again}/>` }] : []),
]} empty=${{ icon: "route", title: t("no_rules"), what: t("no_rules_what") }}/></div>`;

const TABS = { "": Rules, groups: GroupPolicies, try: Try };

function Acts({ rule, again }) {
  const toggle = async () => {
    try {
      await ask(PATH, { body: { ...said(rule), disabled: !rule.disabled } });
      again();
    } catch (error) {
      failed(error);
    }
  };
  const remove = () => confirm(t("delete"), t("delete_rule_what", { key: rule.key }), t("delete"), async () => {
    await ask(`${PATH}${query({ key: rule.key })}`, { method: "DELETE" });
    again();
  });
  const shift = (step) => async () => {
    try {
      if (await move(rule, step)) again();
    } catch (error) {
      failed(error);
    }
  };
  return html`${isWildcard(rule) && html`<${Button} look="btn-sm btn-icon" icon="arrow-up" title=${t("move_up")} aria-label=${`${t("move_up")} ${rule.key}`} onClick=${shift(-1)}/>
      <${Button} look="btn-sm btn-icon" icon="arrow-down" title=${t("move_down")} aria-label=${`${t("move_down")} ${rule.key}`} onClick=${shift(1)}/>`}
    <${Button} look="btn-sm" icon="edit" aria-label=${`${t("edit")} ${rule.key}`} onClick=${() => edit(rule, again)}>${t("edit")}<//>
    <${Button} look="btn-sm" aria-label=${`${rule.disabled ? t("enable") : t("disable")} ${rule.key}`} onClick=${toggle}>${rule.disabled ? t("enable") : t("disable")}<//>
    <${Button} look="btn-sm btn-icon" icon="trash" aria-label=${`${t("delete")} ${rule.key}`} onClick=${remove}/>`;
}

const schema = (rule) => ({ required: ["key", "worker_id"], properties: {
  key: { type: "string", title: t("about_whom"), description: t("key_hint"), placeholder: "group_456", readOnly: Boolean(rule) },
  worker_id: { type: "string", title: t("target"), description: t("target_hint"), placeholder: "pool:default" },
  deliver: { type: "string", title: t("deliver"), enum: ["one", "all"], names: [word("deliver", "one"), word("deliver", "all")], default: "one" },
  fallback: { type: "string", title: t("fallback"), enum: ["balance", "wait", "drop"], names: ["balance", "wait", "drop"].map((one) => word("fallback", one)), default: "balance" },
  priority: { type: "integer", title: t("priority"), description: t("priority_hint"), default: 0 },
  disabled: { type: "boolean", title: t("keep_disabled"), default: false },
} });

function edit(rule, again) {
  dialog(rule ? `${t("edit")} ${rule.key}` : t("add_rule"), (close) => {
    const save = async (values) => {
      const answer = await ask(PATH, { body: { ...values, priority: values.priority || 0 } });
      close();
      again();
      toast(answer.warnings.length ? answer.warnings.map((one) => translated(one)).join(" ") : t("rule_saved", { key: answer.rule.key }));
    };
    return html`<${Form} schema=${schema(rule)} value=${rule ? said(rule) : {}} submit=${t("save")} onCancel=${close} onSubmit=${save}/>`;
  });
}

// All written rules; the file has the form of the REST interface.
async function save() {
  try {
    const rules = [];
    for (let page = 1, total = 1; rules.length < total; page += 1) {
      const answer = await ask(`${PATH}${query({ page, size: MOST })}`);
      if (!answer.rules.length) break;
      rules.push(...answer.rules);
      total = answer.total;
    }
    const written = rules.filter((one) => !one.implicit).map(said);
    const anchor = document.createElement("a");
    anchor.href = URL.createObjectURL(new Blob([`${JSON.stringify({ rules: written }, null, 2)}\n`], { type: "application/json" }));
    anchor.download = "rules.json";
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(anchor.href), 1000);
  } catch (error) {
    failed(error);
  }
}

function bring(again) {
  const input = document.createElement("input");
  input.type = "file";
  input.accept = ".json,application/json";
  input.onchange = async () => {
    try {
      const found = JSON.parse(await input.files[0].text());
      const rules = Object.fromEntries(found.rules.map(({ key, worker_id, ...rest }) => [key, JSON.stringify({ ...rest, worker_id })]));
      await ask("api/admin/redis/config", { body: { type: "rules", data: rules } });
      again();
      toast(t("imported", { n: found.rules.length }));
    } catch (error) {
      failed(error instanceof SyntaxError || error instanceof TypeError ? new Error(t("no_rules_file")) : error);
    }
  };
  input.click();
}
