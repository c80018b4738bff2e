// One's own account: password, API keys, logins, chat identities.
import { ask, me } from "../lib/api.js";
import { html, useState } from "../lib/html.js";
import { exact, t, word } from "../lib/i18n.js";
import { Card, Facts, Head } from "../ui/basics.js";
import { Form } from "../ui/form.js";
import { Tabs } from "../ui/tabs.js";
import { toast } from "../ui/toast.js";
import { Identities } from "./users/identities.js";
import { Keys } from "./users/keys.js";
import { Logins } from "./users/logins.js";

const TABS = { "": Self, keys: Keys, logins: Logins, identities: Identities };

export default function Account({ thing }) {
  const tab = thing in TABS ? thing : "";
  const names = { "": me.value.user.username, keys: t("api_keys"), logins: t("logins"), identities: t("identities") };
  return html`<${Head} title=${t("account")}/><${Tabs} label=${t("account")} page="account" chosen=${tab} tabs=${Object.entries(names).map(([to, name]) => ({ to, name }))}/>
    <${TABS[tab]} key=${tab}/>`;
}

function Self() {
  const [turn, setTurn] = useState(0);
  const { user, may } = me.value;
  const change = async (values) => {
    me.value = await ask("api/user/password", { body: values });
    setTurn(turn + 1);
    toast(t("password_changed"));
  };
  const schema = { required: ["old_password", "new_password"], properties: {
    old_password: { type: "string", format: "password", title: t("old_password"), autocomplete: "current-password" },
    new_password: { type: "string", format: "password", title: t("new_password"), minLength: 8, autocomplete: "new-password" },
  } };
  return html`<div class="columns">
    <${Card} title=${user.username}><${Facts} rows=${[[t("role"), word("role", may)], [t("created"), exact(user.created_at)],
      [t("last_login"), user.last_login_at ? exact(user.last_login_at) : "–"]]}/><//>
    <${Card} title=${t("change_password")}><${Form} key=${turn} schema=${schema} submit=${t("change_password")} onSubmit=${change}/><//></div>`;
}
