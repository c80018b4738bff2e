// Groups with several bots: which of them answers.
import { ask, may, query } from "../../lib/api.js";
import { html, useState } from "../../lib/html.js";
import { moment, t, word } from "../../lib/i18n.js";
import { Button, Card } from "../../ui/basics.js";
import { confirm, dialog } from "../../ui/dialog.js";
import { Form } from "../../ui/form.js";
import { List } from "../../ui/table.js";

const PATH = "api/admin/group-policies";
const POLICIES = ["one", "mentioned", "all"];

export function GroupPolicies() {
  const [version, setVersion] = useState(0);
  const again = () => setVersion((before) => before + 1);
  const remove = (one) => confirm(t("delete"), t("delete_policy_what", { group: one.group }), t("delete"), async () => {
    await ask(`${PATH}${query({ group: one.group })}`, { method: "DELETE" });
    again();
  });
  return html`<${Card} title=${t("group_policies")} flush actions=${may("admin") && html`<${Button} look="btn-sm btn-primary" icon="plus" onClick=${() => edit(null, again)}>${t("add")}<//>`}>
    <${List} label=${t("group_policies")} path=${PATH} plural="groups" by="group" every=${10} version=${version} columns=${[
      { key: "group", label: t("group"), look: "mono strong", cell: (one) => one.group }, { key: "policy", label: t("who_answers"), cell: (one) => word("policy", one.policy) },
      { label: t("bots"), look: "mono", cell: (one) => one.bots.join(", ") || html`<span class="text-secondary">${t("who_was_heard")}</span>` },
      { label: t("heard"), look: "minor", cell: (one) => Object.entries(one.heard).map(([bot, at]) => html`<div><span class="mono">${bot}</span> ${moment(at)}</div>`) },
      ...(may("admin") ? [{ look: "end", cell: (one) => html`<${Button} look="btn-sm" icon="edit" aria-label=${`${t("edit")} ${one.group}`} onClick=${() => edit(one, again)}>${t("edit")}<//>
        <${Button} look="btn-sm btn-icon" icon="trash" aria-label=${`${t("delete")} ${one.group}`} onClick=${() => remove(one)}/>` }] : []),
    ]} empty=${{ icon: "users", title: t("no_policies"), what: t("no_policies_what") }}/><//>`;
}

async function edit(one, again) {
  const known = await ask("api/groups?size=500").catch(() => ({ groups: [] }));
  const schema = { required: ["group"], properties: {
    group: { type: "string", title: t("group"), placeholder: "qq:456", maxLength: 128, readOnly: Boolean(one), suggestions: known.groups.map((found) => found.group).filter(Boolean) },
    policy: { type: "string", title: t("who_answers"), enum: POLICIES, names: POLICIES.map((name) => word("policy", name)), default: "one" },
    bots: { type: "array", title: t("bots"), description: t("policy_bots_hint"), placeholder: "qq:10001" },
  } };
  dialog(one ? `${t("edit")} ${one.group}` : t("group_policies"), (close) => html`<${Form} schema=${schema} value=${one ? { group: one.group, policy: one.policy, bots: one.bots } : {}}
    submit=${t("save")} onCancel=${close} onSubmit=${async (values) => {
      await ask(PATH, { body: values });
      close();
      again();
    }}/>`);
}
