// API keys: what programs ask with. A new one is shown once.
import { ask, me, query } from "../../lib/api.js";
import { html, useState } from "../../lib/html.js";
import { exact, moment, t, word } from "../../lib/i18n.js";
import { Button, Card, Copy, Notice } from "../../ui/basics.js";
import { confirm, dialog } from "../../ui/dialog.js";
import { Form } from "../../ui/form.js";
import { List } from "../../ui/table.js";
import { below } from "./people.js";

const PATH = "api/keys";

// `all`: everybody's, for administrators.
export function Keys({ all = false }) {
  const [version, setVersion] = useState(0);
  const again = () => setVersion((before) => before + 1);
  const remove = (one) => confirm(t("delete"), t("delete_key_what", { name: one.name }), t("delete"), async () => {
    await ask(`${PATH}${query({ id: one.id })}`, { method: "DELETE" });
    again();
  });
  return html`<${Card} title=${t("api_keys")} flush actions=${html`<${Button} look="btn-sm btn-primary" icon="plus" onClick=${() => make(again)}>${t("make_key")}<//>`}>
    <${List} label=${t("api_keys")} path=${PATH} plural="keys" version=${version} every=${30} asked=${all ? { all: true } : {}} columns=${[
      { key: "name", label: t("name"), cell: (one) => html`<span class="strong">${one.name}</span> <code>${one.hint}…</code>` },
      ...(all ? [{ key: "username", label: t("owner"), cell: (one) => one.username }] : []),
      { key: "scope", label: t("scope"), cell: (one) => (one.may === one.scope ? word("role", one.scope) : `${word("role", one.scope)} → ${word("role", one.may)}`) },
      { key: "expires_at", label: t("until"), cell: (one) => (one.expires_at ? html`<span title=${exact(one.expires_at)}>${moment(one.expires_at)}</span>` : t("for_ever")) },
      { key: "last_used_at", label: t("last_used"), cell: (one) => (one.last_used_at ? `${moment(one.last_used_at)} · ${one.last_address}` : t("never")) },
      { look: "end", cell: (one) => html`<${Button} look="btn-sm btn-icon" icon="trash" aria-label=${`${t("delete")} ${one.name}`} onClick=${() => remove(one)}/>` },
    ]} empty=${{ icon: "key", title: t("no_keys"), what: t("no_keys_what") }}/><//>`;
}

function make(again) {
  const scopes = below(me.value.may).filter((one) => one !== "owner");
  const schema = { required: ["name"], properties: {
    name: { type: "string", title: t("name"), maxLength: 64, placeholder: "backup-script" },
    scope: { type: "string", title: t("scope"), description: t("scope_what"), enum: scopes, names: scopes.map((one) => word("role", one)), default: "viewer" },
    expires_in_days: { type: "integer", title: t("expires_in"), description: t("expires_hint"), minimum: 1, maximum: 3650, default: 90 },
  } };
  dialog(t("make_key"), (close) => html`<${Form} schema=${schema} submit=${t("make_key")} onCancel=${close} onSubmit=${async ({ expires_in_days, ...values }) => {
    const answer = await ask(PATH, { body: { ...values, expires_in_days: expires_in_days || null } });
    close();
    again();
    show(answer);
  }}/>`);
}

const show = ({ key, token }) => dialog(key.name, () => html`<${Notice} look="warn">${t("key_shown_once")}<//>
  <div class="file"><code>${token}</code><${Copy} text=${token} label=${key.name}/></div>
  <p class="text-secondary hint-end">${t("key_use")} <code>Authorization: Bearer …</code></p>`);
