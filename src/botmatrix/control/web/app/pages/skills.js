// Skills: what workers can do, with a form to call each, and what came of the calls.
import { ask, may } from "../lib/api.js";
import { html, useState } from "../lib/html.js";
import { t, whole } from "../lib/i18n.js";
import { link } from "../lib/route.js";
import { Button, Card, Empty, Head, Notice, Quiet, State } from "../ui/basics.js";
import { dialog } from "../ui/dialog.js";
import { Form } from "../ui/form.js";
import { formSchema, meant } from "../ui/schema.js";
import { List, useAnswer } from "../ui/table.js";
import { Tabs } from "../ui/tabs.js";
import { Executions } from "./tasks/executions.js";

export default function Skills({ thing }) {
  const { error } = useAnswer("api/skills?size=1", 0);
  const runs = thing === "executions" && may("operator");
  const tabs = [{ to: "", name: t("skills") }, ...(may("operator") ? [{ to: "executions", name: t("executions") }] : [])];
  return html`<${Head} title=${t("skills")}/>${error?.code === "skill_disabled" ? html`<${Off}/>`
    : html`<${Tabs} label=${t("skills")} page="skills" chosen=${runs ? "executions" : ""} tabs=${tabs}/>
      ${runs ? html`<${Executions}/>` : html`<${Catalogue}/>`}`}`;
}

// What to do while the skill system is off.
export const Off = () => html`<${Card}><${Empty} icon="bolt" title=${t("skills_off")}><p>${t("skills_off_what")}</p>
  ${may("admin") && html`<a class="btn btn-primary" href=${link("config")}>${t("config")}</a>`}<//><//>`;

const Catalogue = () => html`<${Card} flush><${List} label=${t("skills")} path="api/skills" plural="skills" by="name" every=${10} columns=${[
  { key: "name", label: t("skill"), cell: (one) => html`<span class="mono strong">${one.name}</span>` },
  { label: t("what"), cell: (one) => html`${one.description}${one.usage && html`<br/><${Quiet}>${one.usage}<//>`}` },
  { label: t("parameters_of"), look: "mono minor", cell: (one) => Object.keys(one.parameters.properties || one.params).join(", ") || "–" },
  { label: t("workers"), number: true, cell: (one) => html`<span title=${one.workers.join(", ")}>${whole(one.workers.length)}</span>` },
  ...(may("operator") ? [{ look: "end", cell: (one) => html`<${Button} look="btn-sm" icon="player-play" aria-label=${`${t("call")} ${one.name}`} onClick=${() => call(one)}>${t("call")}<//>` }] : []),
]} empty=${{ icon: "bolt", title: t("no_skills"), what: t("no_skills_what") }}/><//>`;

// A skill that says nothing of types has a field of text for each parameter.
const described = (skill) => (Object.keys(skill.parameters.properties || {}).length ? skill.parameters
  : { properties: Object.fromEntries(Object.entries(skill.params).map(([name, description]) => [name, { type: "string", description }])) });

const call = (skill) => dialog(`${t("call")} ${skill.name}`, (close) => html`<${Call} ...${{ skill, close }}/>`);

function Call({ skill, close }) {
  const [said, setSaid] = useState(null);
  const form = formSchema(described(skill));
  const send = async (values) => {
    setSaid(null);
    setSaid(await ask(`api/skills/${encodeURIComponent(skill.name)}/call`, { body: { params: meant(form, values), timeout: 60 } }));
  };
  return html`${skill.description && html`<p>${skill.description}</p>`}<${Form} schema=${form} submit=${t("call")} onCancel=${close} onSubmit=${send}/>
    ${said && html`<div class="answer" role="status"><${State} value=${said.status} look=${said.status === "success" ? "good" : said.status === "failed" ? "bad" : "warn"}/> <${Quiet}>${said.worker_id}<//>
      ${said.error && html`<${Notice} look="bad">${said.error}<//>`}${said.result !== "" && html`<pre class="payload">${said.result}</pre>`}
      ${!said.result && !said.error && html`<p class="text-secondary">${t("goes_on")}</p>`}</div>`}`;
}
