// Who somebody is in a chat: bound by a one-time code that is said to a bot in private.
import { ask, query } from "../../lib/api.js";
import { html, useEffect, useState } from "../../lib/html.js";
import { clock, exact, moment, t } from "../../lib/i18n.js";
import { Button, Card, Copy, Notice, State } from "../../ui/basics.js";
import { confirm, dialog } from "../../ui/dialog.js";
import { failed } from "../../ui/toast.js";
import { List } from "../../ui/table.js";

const PATH = "api/user/bindings";

export function Identities({ all = false }) {
  const [version, setVersion] = useState(0);
  const again = () => setVersion((before) => before + 1);
  const remove = (one) => confirm(t("unbind"), t("unbind_what", { id: one.identity, name: one.username }), t("unbind"), async () => {
    await ask(`${PATH}${query({ identity: one.identity })}`, { method: "DELETE" });
    again();
  });
  return html`<${Card} title=${t("identities")} flush actions=${html`<${Button} look="btn-sm btn-primary" icon="link" onClick=${() => bind(again)}>${t("bind_me")}<//>`}>
    <${List} label=${t("identities")} path=${PATH} plural="bindings" by="identity" version=${version} every=${10} asked=${all ? { all: true } : {}} columns=${[
      { key: "identity", label: t("identity"), look: "mono strong", cell: (one) => one.identity }, { key: "username", label: t("username"), cell: (one) => one.username },
      { label: t("commands_hub"), cell: (one) => html`<${State} value=${one.counts ? "commands" : "commands_not"} look=${one.counts ? "good" : "quiet"}/>` },
      { key: "created_at", label: t("since"), cell: (one) => html`<span title=${exact(one.created_at)}>${moment(one.created_at)}</span>` },
      { look: "end", cell: (one) => html`<${Button} look="btn-sm" aria-label=${`${t("unbind")} ${one.identity}`} onClick=${() => remove(one)}>${t("unbind")}<//>` },
    ]} empty=${{ icon: "link", title: t("no_identities"), what: t("no_identities_what") }}/><//>`;
}

async function bind(again) {
  try {
    const code = await ask("api/user/bind", { body: {} });
    const before = (await ask(PATH)).total;
    dialog(t("bind_me"), (close) => html`<${Waiting} ...${{ code, before, close, again }}/>`);
  } catch (error) {
    failed(error);
  }
}

// Waits until somebody has said it, and closes by itself.
function Waiting({ code, before, close, again }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    const timer = setInterval(async () => {
      const now = await ask(PATH).catch(() => null);
      if (!now || now.total <= before) return;
      setDone(true);
      again();
      clearInterval(timer);
    }, 2000);
    return () => clearInterval(timer);
  }, []);
  if (done) return html`<${Notice} look="good">${t("bound_now")}<//><div class="form-end"><${Button} look="btn-primary" onClick=${close}>${t("close")}<//></div>`;
  return html`<p>${t("bind_what")}</p><div class="file"><code class="big">${code.say}</code><${Copy} text=${code.say} label=${t("bind_me")}/></div>
    <p class="text-secondary hint-end" role="status">${t("bind_until", { at: clock(code.expires_at), n: code.tries })}</p>`;
}
