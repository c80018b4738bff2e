// What would become of an event, and why; nothing is sent.
import { ask, may } from "../lib/api.js";
import { html, useState } from "../lib/html.js";
import { clock, rate, t, translated, word } from "../lib/i18n.js";
import { Card, Empty, Facts, State } from "../ui/basics.js";
import { Form } from "../ui/form.js";
import { Rows, useAnswer } from "../ui/table.js";

const NEWEST = "api/messages?direction=in&size=20";

export function Try() {
  const [answer, setAnswer] = useState(null);
  const [picked, setPicked] = useState(null);
  const schema = { required: ["bot", "user"], properties: {
    bot: { type: "string", title: t("bot"), placeholder: "qq:10001" }, user: { type: "string", title: t("user"), placeholder: "123" },
    group: { type: "string", title: t("group"), description: t("group_hint"), placeholder: "456" },
    text: { type: "string", title: t("text"), default: t("hello") },
  } };
  const explain = async ({ bot, user, group, text }) => {
    const where = group ? { message_type: "group", group_id: group } : { message_type: "private" };
    const event = { post_type: "message", ...where, user_id: user, message: text, raw_message: text };
    setAnswer(await ask("api/admin/routing/explain", { body: { event, bot } }));
  };
  return html`<div class="columns"><${Card} title=${t("an_event")}>${may("operator") && html`<${Pick} onPick=${setPicked}/>`}
      <${Form} key=${picked?.id} schema=${schema} value=${picked ? asTyped(picked) : {}} submit=${t("try_it")} onSubmit=${explain}/><//>
    ${answer ? html`<${Explained} answer=${answer}/>` : html`<${Card}><${Empty} icon="route" title=${t("nothing_sent")}>${t("nothing_sent_what")}<//><//>`}</div>`;
}

const asTyped = (message) => ({ bot: message.bot, user: message.user_id, group: message.group_id, text: message.text });

// What was heard last, to be tried again.
function Pick({ onPick }) {
  const { answer } = useAnswer(NEWEST, 0);
  const heard = answer?.messages || [];
  if (!heard.length) return null;
  return html`<div class="field"><label class="form-label" for="pick">${t("pick_message")}</label><select id="pick" class="form-select" onChange=${(event) => onPick(heard.find((one) => one.id === event.target.value))}>
    <option value="">–</option>${heard.map((one) => html`<option key=${one.id} value=${one.id}>${clock(one.at)} ${one.bot} ${one.conv}: ${one.text.slice(0, 60)}</option>`)}</select></div>`;
}

export const Explained = ({ answer }) => html`<div class="stack"><${Card} title=${html`<${State} value=${answer.verdict}/>`}><p>${translated(answer.why)}</p>
    <${Facts} rows=${[[t("conversation"), html`<span class="mono">${answer.conversation}</span>`], [t("judge"), answer.judge.blocked ? word("reason", answer.judge.reason) : t("lets_pass")],
      [t("rule"), answer.rule ? html`<span class="mono">${answer.rule.rule.key} → ${answer.rule.rule.worker_id}</span>` : t("no_rule_fits")],
      [t("chosen_worker"), html`<span class="mono">${answer.chosen || "–"}</span>`]]}/><//>
  ${answer.notes.length > 0 && html`<${Card} title=${t("what_else")}><ul class="mb-0">${answer.notes.map((one) => html`<li>${t(`explain.${one.code}`, one.facts)}</li>`)}</ul><//>`}
  ${answer.lost.length > 0 && html`<${Card} title=${t("rules_that_lost")} flush><${Rows} label=${t("rules_that_lost")} rows=${answer.lost} columns=${[
    { label: t("rule"), look: "mono", cell: (one) => `${one.rule.key} → ${one.rule.worker_id}` }, { label: t("why"), cell: (one) => translated(one.why) }]}/><//>`}
  ${answer.ways.map((way) => html`<${Card} title=${`${t("target")}: ${way.target || word("pool", "default")}`} flush>${way.candidates.length
    ? html`<${Rows} label=${t("candidates")} rows=${way.candidates} columns=${[{ label: t("worker"), look: "mono", cell: (one) => one.worker_id },
        { label: t("pool"), cell: (one) => one.pool }, { label: t("score"), number: true, cell: (one) => rate(one.score) }]}/>`
    : html`<p class="pad text-secondary">${t("no_candidates")}</p>`}<//>`)}</div>`;
