// Runs of tasks and calls of skills, newest first, with what came of each.
import { ask, may } from "../../lib/api.js";
import { html, useState } from "../../lib/html.js";
import { exact, moment, t, word } from "../../lib/i18n.js";
import { link, route } from "../../lib/route.js";
import { Button, Card, Facts, Notice, State } from "../../ui/basics.js";
import { dialog } from "../../ui/dialog.js";
import { failed } from "../../ui/toast.js";
import { List } from "../../ui/table.js";

const STATES = ["pending", "dispatching", "running", "success", "failed", "dead"];
const LOOKS = { success: "good", failed: "bad", dead: "bad" };
const OPEN = new Set(["pending", "dispatching", "running", "failed"]);
const Status = ({ one }) => html`<${State} value=${`run_${one.status}`} look=${LOOKS[one.status] || "warn"}/>`;
const what = (one) => one.skill || word("task_action", one.action_type ?? "");

export function Executions() {
  const [version, setVersion] = useState(0);
  const { task_id } = route.value.params;
  const cancel = async (one) => {
    try {
      await ask(`api/tasks/executions/${encodeURIComponent(one.execution_id)}/cancel`, { body: {} });
      setVersion((before) => before + 1);
    } catch (error) {
      failed(error);
    }
  };
  return html`${task_id && html`<${Notice}>${t("of_one_task", { id: task_id })} <a href=${link("tasks", "executions")}>${t("show_all")}</a><//>`}
  <${Card} flush><${List} label=${t("executions")} path="api/tasks/executions" plural="executions" by="execution_id" every=${4} version=${version} search=${false} asked=${task_id ? { task_id } : {}}
    filters=${[{ key: "status", label: t("state"), options: STATES.map((one) => [one, word("state", `run_${one}`)]) }]} columns=${[
      { key: "trigger_time", label: t("time"), cell: (one) => html`<span title=${exact(one.trigger_time)}>${moment(one.trigger_time)}</span>` },
      { label: t("what"), cell: (one) => html`<span class="mono strong">${what(one)}</span>` }, { label: t("state"), cell: (one) => html`<${Status} one=${one}/>` },
      { label: t("worker"), look: "mono minor", cell: (one) => one.worker_id || "–" },
      { label: t("result"), look: "clip", cell: (one) => html`<span>${one.error || one.result || "–"}</span>` },
      { look: "end", cell: (one) => html`${OPEN.has(one.status) && may("operator") && html`<${Button} look="btn-sm" aria-label=${`${t("end_it")} ${one.execution_id}`} onClick=${() => cancel(one)}>${t("end_it")}<//>`}
        <${Button} look="btn-sm" icon="eye" aria-label=${`${t("read")} ${one.execution_id}`} onClick=${() => show(one)}>${t("read")}<//>` },
    ]} empty=${{ icon: "history", title: t("no_executions"), what: t("no_executions_what") }}/><//>`;
}

const show = (one) => dialog(what(one), () => html`<p><${Status} one=${one}/></p><${Facts} rows=${[
    [t("id"), html`<span class="mono">${one.execution_id}</span>`], [t("set_off"), exact(one.trigger_time)], [t("ended"), one.actual_time ? exact(one.actual_time) : "–"], [t("worker"), one.worker_id || "–"],
    ...(one.retry_count ? [[t("tries"), one.retry_count + 1]] : [])]}/>
  <h3 class="h4 hint-end">${t("parameters_of")}</h3><pre class="payload">${JSON.stringify(one.params, null, 2)}</pre>
  <h3 class="h4 hint-end">${t("result")}</h3><pre class="payload">${one.error || one.result || "–"}</pre>`, { wide: true });
