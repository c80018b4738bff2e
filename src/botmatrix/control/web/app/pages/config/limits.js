// Limits and times to live: hot, in Redis, with exceptions for single users, groups and bots.
import { ask } from "../../lib/api.js";
import { html, useState } from "../../lib/html.js";
import { t, whole, word } from "../../lib/i18n.js";
import { Button, Card, Notice } from "../../ui/basics.js";
import { confirm, dialog } from "../../ui/dialog.js";
import { Form } from "../../ui/form.js";
import { toast } from "../../ui/toast.js";
import { Rows, useAnswer, Skeleton } from "../../ui/table.js";

const PATH = "api/admin/redis/config";
const EXCEPTION = /^(user|group|bot):(.+):(limit|send_limit)$/;

export function Limits() {
  const [version, setVersion] = useState(0);
  const { answer, error } = useAnswer(PATH, 0, version);
  if (!answer) return error ? html`<${Notice} look="bad">${error.message}<//>` : html`<${Skeleton}/>`;
  const save = async (type, data) => {
    await ask(PATH, { body: { type, data } });
    setVersion((before) => before + 1);
    toast(t("saved_acts"));
  };
  const card = (shown) => ({ key: JSON.stringify(shown), answer, save });
  const problems = ["ratelimit", "ttl"].flatMap((kind) => Object.entries(answer.problems[kind]));
  return html`${problems.map(([name, why]) => html`<${Notice} look="warn" title=${name}>${why}<//>`)}
    <div class="columns"><${Numbers} ...${card(answer.ratelimit)} type="ratelimit" title=${t("rate_limits")}/><${Numbers} ...${card(answer.ttl)} type="ttl" title=${t("times_to_live")}/></div>
    <${Exceptions} ...${card("exceptions")}/>`;
}

function Numbers({ answer, save, type, title }) {
  const names = Object.keys(answer.defaults[type]);
  const schema = { properties: Object.fromEntries(names.map((name) => [name, { type: "integer", minimum: 0, title: word("hot", name), description: word("hot_about", name, name),
    placeholder: t("default_is", { n: whole(answer.defaults[type][name]) }) }])) };
  const value = Object.fromEntries(names.map((name) => [name, answer[type][name] ?? ""]));
  const send = (values) => save(type, Object.fromEntries(names.map((name) => [name, values[name] === "" ? "" : String(values[name])])));
  return html`<${Card} title=${title}><p class="text-secondary">${type === "ratelimit" ? t("limits_what") : t("empty_is_default")}</p><${Form} ...${{ schema, value }} submit=${t("save")} onSubmit=${send}/><//>`;
}

function Exceptions({ answer, save }) {
  const rows = Object.entries(answer.ratelimit).filter(([name]) => EXCEPTION.test(name)).map(([name, number]) => {
    const [, whose, id, what] = EXCEPTION.exec(name);
    return { name, whose, id, what, number };
  });
  const remove = (one) => confirm(t("delete"), t("delete_exception_what", { name: one.name }), t("delete"), () => save("ratelimit", { [one.name]: "" }));
  return html`<${Card} title=${t("exceptions")} flush actions=${html`<${Button} look="btn-sm" icon="plus" onClick=${() => edit(null, save)}>${t("add")}<//>`}>
    ${rows.length ? html`<${Rows} label=${t("exceptions")} rows=${rows} columns=${[
      { label: t("about_whom"), cell: (one) => html`${word("whose", one.whose)} <span class="mono strong">${one.id}</span>` }, { label: t("what"), cell: (one) => word("limit", one.what) },
      { label: t("per_minute"), number: true, cell: (one) => (one.number === "0" ? t("no_limit") : whole(Number(one.number))) },
      { look: "end", cell: (one) => html`<${Button} look="btn-sm" icon="edit" aria-label=${`${t("edit")} ${one.name}`} onClick=${() => edit(one, save)}>${t("edit")}<//>
        <${Button} look="btn-sm btn-icon" icon="trash" aria-label=${`${t("delete")} ${one.name}`} onClick=${() => remove(one)}/>` },
    ]}/>` : html`<p class="pad text-secondary">${t("no_exceptions")}</p>`}<//>`;
}

function edit(one, save) {
  const readOnly = Boolean(one);
  const schema = { required: ["id", "number"], properties: {
    whose: { type: "string", title: t("about_whom"), enum: ["user", "group", "bot"], names: ["user", "group", "bot"].map((name) => word("whose", name)), default: "user", readOnly },
    id: { type: "string", title: t("id"), placeholder: "qq:10001", maxLength: 128, readOnly },
    what: { type: "string", title: t("what"), enum: ["limit", "send_limit"], names: ["limit", "send_limit"].map((name) => word("limit", name)), default: "limit", readOnly },
    number: { type: "integer", title: t("per_minute"), description: t("zero_no_limit"), minimum: 0, maximum: 1000000 },
  } };
  dialog(one ? `${t("edit")} ${one.name}` : t("exceptions"), (close) => {
    const send = async ({ whose, id, what, number }) => {
      await save("ratelimit", { [`${whose}:${id.trim()}:${what}`]: String(number) });
      close();
    };
    return html`<${Form} schema=${schema} value=${one || {}} submit=${t("save")} onCancel=${close} onSubmit=${send}/>`;
  });
}
