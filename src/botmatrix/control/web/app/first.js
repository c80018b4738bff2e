// What to paste into a bot's client.
import { html } from "./lib/html.js";
import { t } from "./lib/i18n.js";
import { link } from "./lib/route.js";
import { Card, Copy } from "./ui/basics.js";
import { useAnswer } from "./ui/table.js";

export function FirstSteps() {
  const { answer } = useAnswer("api/connect-info", 0);
  if (!answer) return null;
  return html`<${Card} title=${t("first_title")}><ol class="steps"><li>${t("first_client")}</li>
    <li>${t("first_url")} <code>${answer.url}</code> <${Copy} text=${answer.url} label=${t("first_url")}/></li>
    <li>${t("first_token")} ${answer.token ? html`<code>${answer.token}</code> <${Copy} text=${answer.token} label=${t("first_token")}/>` : t("no_token")}</li>
    <li>${t("first_talk")}</li></ol><a class="btn btn-primary first-link" href=${link("setup")}>${t("setup_link")}</a><//>`;
}
