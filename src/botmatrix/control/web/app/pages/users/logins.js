// Logins that have not ended.
import { ask, query } from "../../lib/api.js";
import { html, useState } from "../../lib/html.js";
import { exact, moment, t, whole } from "../../lib/i18n.js";
import { Button, Card } from "../../ui/basics.js";
import { confirm } from "../../ui/dialog.js";
import { failed, toast } from "../../ui/toast.js";
import { List } from "../../ui/table.js";

const PATH = "api/sessions";

export function Logins({ all = false }) {
  const [version, setVersion] = useState(0);
  const again = () => setVersion((before) => before + 1);
  const end = async (one) => {
    try {
      await ask(`${PATH}${query({ id: one.id })}`, { method: "DELETE" });
      again();
    } catch (error) {
      failed(error);
    }
  };
  const others = () => confirm(t("end_others"), t("end_others_what"), t("end_others"), async () => {
    const answer = await ask(PATH, { method: "DELETE" });
    toast(t("ended_n", { n: whole(answer.ended) }));
    again();
  });
  return html`<${Card} title=${t("logins")} flush actions=${html`<${Button} look="btn-sm" icon="logout" onClick=${others}>${t("end_others")}<//>`}>
    <${List} label=${t("logins")} path=${PATH} plural="sessions" version=${version} every=${20} asked=${all ? { all: true } : {}} columns=${[
      ...(all ? [{ key: "username", label: t("username"), look: "strong", cell: (one) => one.username }] : []),
      { key: "created_at", label: t("since"), cell: (one) => html`<span title=${exact(one.created_at)}>${moment(one.created_at)}</span>` },
      { key: "last_seen_at", label: t("last_seen"), cell: (one) => moment(one.last_seen_at) },
      { key: "expires_at", look: "minor", label: t("until"), cell: (one) => exact(one.expires_at) },
      { key: "address", label: t("address"), look: "mono", cell: (one) => one.address },
      { label: t("browser"), look: "minor clip", cell: (one) => html`<span title=${one.user_agent}>${one.user_agent || "–"}</span>` },
      { look: "end", cell: (one) => (one.current ? html`<span class="badge tag">${t("this_login")}</span>`
        : html`<${Button} look="btn-sm" aria-label=${`${t("end_login")} ${one.username} ${one.id}`} onClick=${() => end(one)}>${t("end_login")}<//>`) },
    ]} empty=${{ icon: "user", title: t("no_logins"), what: "" }}/><//>`;
}
