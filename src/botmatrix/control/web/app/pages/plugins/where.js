// Where a plugin is off, or on nevertheless: for a bot, a group, a person.
import { ask, may, query } from "../../lib/api.js";
import { html, useState } from "../../lib/html.js";
import { t } from "../../lib/i18n.js";
import { Button, Card, Notice, State } from "../../ui/basics.js";
import { dialog } from "../../ui/dialog.js";
import { Form } from "../../ui/form.js";
import { failed } from "../../ui/toast.js";
import { Rows, useAnswer } from "../../ui/table.js";

const PATH = "api/plugins/matrix";

export function Where({ id }) {
  const [version, setVersion] = useState(0);
  const { answer, error } = useAnswer(`${PATH}${query({ q: id, size: 500 })}`, 15, version);
  const put = async (cell) => {
    await ask(PATH, { method: "PUT", body: { cells: [{ plugin: id, ...cell }] } });
    setVersion((before) => before + 1);
  };
  const drop = (one) => put({ bot: one.bot, group: one.group, user: one.user, on: null }).catch(failed);
  const rows = (answer?.cells || []).filter((one) => one.plugin === id);
  return html`<${Card} title=${t("where_on")} flush actions=${may("admin") && html`<${Button} look="btn-sm" icon="plus" onClick=${() => add(put)}>${t("add")}<//>`}>
    ${error && html`<${Notice} look="bad">${error.message}<//>`}
    ${rows.length ? html`<${Rows} label=${t("where_on")} rows=${rows} columns=${[
      { label: t("bot"), look: "mono", cell: (one) => one.bot || t("every") }, { label: t("group"), look: "mono", cell: (one) => one.group || t("every") },
      { label: t("user"), look: "mono", cell: (one) => one.user || t("every") }, { label: t("state"), cell: (one) => html`<${State} value=${one.on ? "cell_on" : "cell_off"} look=${one.on ? "good" : "quiet"}/>` },
      ...(may("admin") ? [{ look: "end", cell: (one) => html`<${Button} look="btn-sm btn-icon" icon="trash" onClick=${() => drop(one)}
        aria-label=${`${t("delete")} ${[one.bot, one.group, one.user].filter(Boolean).join(" ")}`}/>` }] : []),
    ]}/>` : html`<p class="pad text-secondary">${t("on_everywhere")}</p>`}<//>`;
}

function add(put) {
  const place = (title, placeholder) => ({ type: "string", title, placeholder, description: t("empty_every"), maxLength: 128 });
  const schema = { properties: { bot: place(t("bot"), "qq:10001"), group: place(t("group"), "qq:456"), user: place(t("user"), "qq:2000"),
    on: { type: "string", title: t("state"), enum: ["off", "on"], names: [t("off"), t("on")], default: "off" } } };
  dialog(t("where_on"), (close) => html`<p class="text-secondary">${t("where_what")}</p><${Form} schema=${schema} submit=${t("save")} onCancel=${close} onSubmit=${async ({ on, ...cell }) => {
    await put({ ...cell, on: on === "on" });
    close();
  }}/>`);
}
