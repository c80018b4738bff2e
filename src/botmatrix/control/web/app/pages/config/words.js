// Sensitive words of single groups or bots.
import { html } from "../../lib/html.js";
import { t, whole } from "../../lib/i18n.js";
import { Button, Card } from "../../ui/basics.js";
import { confirm, dialog } from "../../ui/dialog.js";
import { Form } from "../../ui/form.js";
import { Rows } from "../../ui/table.js";
import { levelSchema } from "./judge.js";

export function WordsOf({ config, save, place, title }) {
  const levels = config.sensitive_words[place];
  const put = (changed) => save({ sensitive_words: { [place]: changed } });
  const remove = (id) => confirm(t("delete"), t("delete_words_what", { id }), t("delete"), () => {
    const { [id]: _, ...rest } = levels;
    return put(rest);
  });
  const rows = Object.entries(levels).map(([id, one]) => ({ id, ...one }));
  return html`<${Card} title=${title} flush actions=${html`<${Button} look="btn-sm" icon="plus" onClick=${() => edit(title, "", null, levels, put)}>${t("add")}<//>`}>
    ${rows.length ? html`<${Rows} label=${title} rows=${rows} columns=${[
      { label: t("id"), look: "mono strong", cell: (one) => one.id }, { label: t("words"), number: true, cell: (one) => whole(one.plain.length) },
      { label: t("expressions"), number: true, cell: (one) => whole(one.regex.length) },
      { look: "end", cell: (one) => html`<${Button} look="btn-sm" icon="edit" aria-label=${`${t("edit")} ${one.id}`} onClick=${() => edit(title, one.id, one, levels, put)}>${t("edit")}<//>
        <${Button} look="btn-sm btn-icon" icon="trash" aria-label=${`${t("delete")} ${one.id}`} onClick=${() => remove(one.id)}/>` },
    ]}/>` : html`<p class="pad text-secondary">${t("no_own_words")}</p>`}<//>`;
}

function edit(title, id, level, levels, put) {
  const { properties } = levelSchema();
  const schema = { required: ["id"], properties: { id: { type: "string", title: t("id"), placeholder: "qq:456", maxLength: 128, readOnly: Boolean(level) }, ...properties } };
  dialog(title, (close) => {
    const send = async ({ id: whose, plain, regex }) => {
      await put({ ...levels, [whose.trim()]: { plain, regex } });
      close();
    };
    return html`<${Form} schema=${schema} value=${{ id, plain: level?.plain ?? [], regex: level?.regex ?? [] }} submit=${t("save")} onCancel=${close} onSubmit=${send}/>`;
  });
}
