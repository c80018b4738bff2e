// Who may log in, with which role; everybody's keys, logins and chat identities.
import { html } from "../lib/html.js";
import { t } from "../lib/i18n.js";
import { Head } from "../ui/basics.js";
import { Tabs } from "../ui/tabs.js";
import { Identities } from "./users/identities.js";
import { Keys } from "./users/keys.js";
import { People } from "./users/people.js";
import { Logins } from "./users/logins.js";

const TABS = { "": People, keys: Keys, logins: Logins, identities: Identities };

export default function Users({ thing }) {
  const tab = thing in TABS ? thing : "";
  const names = { "": t("accounts"), keys: t("api_keys"), logins: t("logins"), identities: t("identities") };
  return html`<${Head} title=${t("users")}/><${Tabs} label=${t("users")} page="users" chosen=${tab} tabs=${Object.entries(names).map(([to, name]) => ({ to, name }))}/>
    <${TABS[tab]} key=${tab} all/>`;
}
