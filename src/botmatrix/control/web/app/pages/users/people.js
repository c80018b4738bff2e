// Accounts: roles, passwords, who is barred. Nobody is offered what is above the own role.
import { ask, me } from "../../lib/api.js";
import { html, useState } from "../../lib/html.js";
import { exact, moment, t, word } from "../../lib/i18n.js";
import { Button, Card, Quiet, State } from "../../ui/basics.js";
import { confirm, dialog } from "../../ui/dialog.js";
import { Form } from "../../ui/form.js";
import { failed, toast } from "../../ui/toast.js";
import { List } from "../../ui/table.js";

const PATH = "api/admin/users";
const ROLES = ["viewer", "operator", "admin", "owner"];
export const below = (role) => ROLES.slice(0, ROLES.indexOf(role) + 1);

const change = (action, username, more = {}) => ask(PATH, { body: { action, username, ...more } });

export function People() {
  const [version, setVersion] = useState(0);
  const again = () => setVersion((before) => before + 1);
  return html`<${Card} title=${t("accounts")} flush actions=${html`<${Button} look="btn-sm btn-primary" icon="plus" onClick=${() => create(again)}>${t("add_user")}<//>`}>
    <${List} label=${t("accounts")} path=${PATH} plural="users" by="username" every=${20} version=${version} columns=${[
      { key: "username", label: t("username"), cell: (one) => html`<span class="strong">${one.username}</span>${one.username === me.value.user.username && html` <${Quiet}>${t("you")}<//>`}` },
      { key: "role", label: t("role"), cell: (one) => word("role", one.role) },
      { label: t("state"), cell: (one) => html`<${State} value=${one.disabled ? "barred" : "may_log_in"} look=${one.disabled ? "bad" : "good"}/>` },
      { key: "last_login_at", label: t("last_login"), cell: (one) => (one.last_login_at ? html`<span title=${exact(one.last_login_at)}>${moment(one.last_login_at)}</span>` : "–") },
      { key: "created_at", look: "minor", label: t("created"), cell: (one) => html`<span title=${exact(one.created_at)}>${moment(one.created_at)}</span>` },
      { look: "end", cell: (one) => below(me.value.may).includes(one.role) && html`<${Acts} ...${{ one, again }}/>` },
    ]} empty=${{ icon: "users", title: t("no_users"), what: "" }}/><//>`;
}

function Acts({ one, again }) {
  const { username } = one;
  const toggle = async () => {
    try {
      await change("toggle_active", username, { active: one.disabled });
      again();
    } catch (error) {
      failed(error);
    }
  };
  const remove = () => confirm(t("delete"), t("delete_user_what", { name: username }), t("delete"), async () => {
    await change("delete", username);
    again();
  });
  return html`<${Button} look="btn-sm" icon="edit" aria-label=${`${t("role")} ${username}`} onClick=${() => role(one, again)}>${t("role")}<//>
    <${Button} look="btn-sm" icon="key" aria-label=${`${t("password")} ${username}`} onClick=${() => password(one)}>${t("password")}<//>
    ${username !== me.value.user.username && html`<${Button} look="btn-sm" aria-label=${`${one.disabled ? t("let_in") : t("bar")} ${username}`} onClick=${toggle}>${one.disabled ? t("let_in") : t("bar")}<//>
      <${Button} look="btn-sm btn-icon" icon="trash" aria-label=${`${t("delete")} ${username}`} onClick=${remove}/>`}`;
}

const roleField = (chosen) => {
  const offered = below(me.value.may);
  return { type: "string", title: t("role"), description: t("roles_what"), enum: offered, names: offered.map((one) => word("role", one)), default: chosen };
};
const passwordField = () => ({ type: "string", format: "password", title: t("new_password"), minLength: 8, maxLength: 1024, autocomplete: "new-password" });

function create(again) {
  const schema = { required: ["username", "password"], properties: {
    username: { type: "string", title: t("username"), maxLength: 64, placeholder: "li.wei" }, password: passwordField(), role: roleField("viewer"),
  } };
  dialog(t("add_user"), (close) => html`<${Form} schema=${schema} submit=${t("add_user")} onCancel=${close} onSubmit=${async ({ username, ...more }) => {
    await change("create", username, more);
    close();
    again();
  }}/>`);
}

function role(one, again) {
  dialog(`${t("role")}: ${one.username}`, (close) => html`<${Form} schema=${{ properties: { role: roleField(one.role) } }} submit=${t("save")} onCancel=${close} onSubmit=${async (values) => {
    await change("edit", one.username, values);
    close();
    again();
  }}/>`);
}

function password(one) {
  dialog(`${t("password")}: ${one.username}`, (close) => html`<p>${t("reset_what")}</p><${Form} schema=${{ required: ["password"], properties: { password: passwordField() } }}
    submit=${t("save")} onCancel=${close} onSubmit=${async (values) => {
      await change("reset_password", one.username, values);
      close();
      toast(t("password_set", { name: one.username }));
    }}/>`);
}
