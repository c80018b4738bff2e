// Tasks: what is done at some time or when something happens, when next, and what came of it.
import { ask, may } from "../lib/api.js";
import { html, useState } from "../lib/html.js";
import { exact, moment, t, whole, word } from "../lib/i18n.js";
import { link } from "../lib/route.js";
import { Button, Card, Head, Quiet, State } from "../ui/basics.js";
import { confirm } from "../ui/dialog.js";
import { failed, toast } from "../ui/toast.js";
import { List, useAnswer } from "../ui/table.js";
import { Tabs } from "../ui/tabs.js";
import { Off } from "./skills.js";
import { chooseType, editTask } from "./tasks/edit.js";
import { Executions } from "./tasks/executions.js";
import { actionWords, triggerWords } from "./tasks/words.js";

const TYPES = ["once", "delayed", "cron", "condition"];
const STATES = ["pending", "disabled", "completed"];
const LOOKS = { pending: "good", disabled: "quiet", completed: "quiet" };

export default function Tasks({ thing }) {
  const [version, setVersion] = useState(0);
  const { error } = useAnswer("api/tasks?size=1", 0);
  const again = () => setVersion((before) => before + 1);
  const runs = thing === "executions" && may("operator");
  const tabs = [{ to: "", name: t("tasks") }, ...(may("operator") ? [{ to: "executions", name: t("executions") }] : [])];
  if (error?.code === "skill_disabled") return html`<${Head} title=${t("tasks")}/><${Off}/>`;
  return html`<${Head} title=${t("tasks")}>${may("operator") && !runs && html`<${Button} icon="plus" look="btn-primary" onClick=${() => chooseType(again)}>${t("add_task")}<//>`}<//>
    <${Tabs} label=${t("tasks")} page="tasks" chosen=${runs ? "executions" : ""} tabs=${tabs}/>
    ${runs ? html`<${Executions}/>` : html`<${Card} flush><${Table} ...${{ version, again }}/><//>`}`;
}

const Table = ({ version, again }) => html`<${List} label=${t("tasks")} path="api/tasks" plural="tasks" every=${5} version=${version}
  filters=${[{ key: "type", label: t("kind"), options: TYPES.map((one) => [one, word("task_type", one)]) }, { key: "status", label: t("state"), options: STATES.map((one) => [one, word("state", `task_${one}`)]) }]}
  columns=${[
    { key: "name", label: t("name"), cell: (one) => html`<a class="strong" href=${may("operator") ? link("tasks", "executions", { task_id: one.id }) : link("tasks")}>${one.name}</a> <${Quiet}>${one.creator}<//>` },
    { label: t("when"), cell: (one) => html`${triggerWords(one)}${one.type === "cron" && html`<br/><code>${one.trigger_config.cron}</code>`}` },
    { label: t("action"), look: "clip", cell: (one) => html`<span title=${actionWords(one)}>${actionWords(one)}</span>` },
    { label: t("state"), cell: (one) => html`<${State} value=${`task_${one.status}`} look=${LOOKS[one.status]}/>` },
    { key: "next_run_time", label: t("next_time"), cell: (one) => (one.next_run_time ? html`<span title=${exact(one.next_run_time)}>${moment(one.next_run_time)}</span>` : "–") },
    { key: "last_run_time", look: "minor", label: t("last_time"), cell: (one) => moment(one.last_run_time) },
    ...(may("operator") ? [{ look: "end", cell: (one) => html`<${Acts} ...${{ one, again }}/>` }] : []),
  ]} empty=${{ icon: "calendar-event", title: t("no_tasks"), what: t("no_tasks_what") }}/>`;

function Acts({ one, again }) {
  const path = `api/tasks/${one.id}`;
  const tried = (act) => async () => {
    try {
      await act();
      again();
    } catch (error) {
      failed(error);
    }
  };
  const run = tried(async () => {
    const { executions } = await ask(`${path}/run`, { body: {} });
    toast(t("task_runs", { name: one.name, n: whole(executions.length) }));
  });
  const pause = tried(() => ask(path, { method: "PATCH", body: { status: one.status === "disabled" ? "pending" : "disabled" } }));
  const remove = () => confirm(t("delete"), t("delete_task_what", { name: one.name }), t("delete"), async () => {
    await ask(path, { method: "DELETE" });
    again();
  });
  return html`<${Button} look="btn-sm" icon="player-play" aria-label=${`${t("run_now")} ${one.name}`} onClick=${run}>${t("run_now")}<//>
    ${one.status !== "completed" && html`<${Button} look="btn-sm" aria-label=${`${one.status === "disabled" ? t("go_on") : t("pause")} ${one.name}`} onClick=${pause}>${one.status === "disabled" ? t("go_on") : t("pause")}<//>`}
    <${Button} look="btn-sm btn-icon" icon="edit" aria-label=${`${t("edit")} ${one.name}`} onClick=${() => editTask(one.type, one, again)}/>
    <${Button} look="btn-sm btn-icon" icon="trash" aria-label=${`${t("delete")} ${one.name}`} onClick=${remove}/>`;
}
