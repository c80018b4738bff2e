// What a plugin asks for, and what it may do.
import { ask, may } from "../../lib/api.js";
import { html, useState } from "../../lib/html.js";
import { t } from "../../lib/i18n.js";
import { Button, Card } from "../../ui/basics.js";
import { failed, toast } from "../../ui/toast.js";

export function Grants({ id, plugin, again }) {
  const [chosen, setChosen] = useState(null);
  const { wanted = [], granted = [] } = plugin.permissions || {};
  if (!wanted.length) return html`<${Card} title=${t("permissions")} flush><p class="pad text-secondary">${t("no_permissions")}</p><//>`;
  const now = chosen ?? granted;
  const mark = (name) => (event) => setChosen(event.target.checked ? [...now, name] : now.filter((one) => one !== name));
  const save = async () => {
    try {
      await ask(`api/plugins/${encodeURIComponent(id)}/grants`, { method: "PUT", body: { grants: now } });
      setChosen(null);
      again();
      toast(t("saved_acts"));
    } catch (error) {
      failed(error);
    }
  };
  return html`<${Card} title=${t("permissions")}><p class="text-secondary">${t("permissions_what")}</p>
    <fieldset class="grants"><legend class="visually-hidden">${t("permissions")}</legend>${wanted.map((name) => html`<label class="form-check" key=${name}><input class="form-check-input" type="checkbox"
      checked=${now.includes(name)} disabled=${!may("admin")} onChange=${mark(name)}/><span class="form-check-label mono">${name}</span></label>`)}</fieldset>
    ${may("admin") && html`<div class="form-end"><${Button} icon="shield" onClick=${() => setChosen([...wanted])}>${t("grant_all")}<//>
      <${Button} look="btn-primary" disabled=${chosen === null} onClick=${save}>${t("save")}<//></div>`}<//>`;
}
