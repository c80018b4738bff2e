// A plugin's own settings, as a form from its JSON Schema.
import { ask } from "../../lib/api.js";
import { html, useState } from "../../lib/html.js";
import { t } from "../../lib/i18n.js";
import { Card, Notice } from "../../ui/basics.js";
import { Form } from "../../ui/form.js";
import { filled, formSchema, meant } from "../../ui/schema.js";
import { toast } from "../../ui/toast.js";
import { useAnswer } from "../../ui/table.js";

export function PluginSettings({ id }) {
  const path = `api/plugins/${encodeURIComponent(id)}/settings`;
  const [turn, setTurn] = useState(0);
  const { answer, error } = useAnswer(path, 0, turn);
  if (error) return html`<${Card} title=${t("settings")}><${Notice} look="bad">${error.message}<//><//>`;
  if (!answer) return null;
  const form = formSchema(answer.schema);
  const save = async (values) => {
    const { properties } = answer.schema;
    // What is as it would be anyway is left out, so that a new default of the plugin counts.
    const changed = Object.entries(meant(form, values)).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(properties[name]?.default));
    await ask(path, { method: "PUT", body: { values: Object.fromEntries(changed), version: answer.version } });
    setTurn(turn + 1);
    toast(t("saved_acts"));
  };
  const behind = answer.workers.filter((one) => one.error);
  return html`<${Card} title=${t("settings")}>${behind.map((one) => html`<${Notice} look="bad" title=${`${one.worker}:`}>${one.error}<//>`)}
    <${Form} key=${answer.version} schema=${form} value=${filled(form, answer.values)} submit=${t("save")} onSubmit=${save}/><//>`;
}
