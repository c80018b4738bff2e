// The restart of all parts: asked for, watched, and the page back by itself.
import { ask } from "../../lib/api.js";
import { html, useEffect, useState } from "../../lib/html.js";
import { t, word } from "../../lib/i18n.js";
import { readiness } from "../../lib/ready.js";
import { link } from "../../lib/route.js";
import { Button, Notice, State } from "../../ui/basics.js";
import { dialog } from "../../ui/dialog.js";

const LOOK = 700;
const PATIENCE = 180000;

export const restart = () => dialog(t("restart"), (close) => html`<${Restart} close=${close}><p>${t("restart_what")}</p><//>`);

// After something was saved that needs it.
export const offerRestart = (names) => dialog(t("saved"), (close) => html`<${Restart} close=${close} later=${t("later")}><p>${t("restart_for")}</p>
  <ul>${names.map((one) => html`<li>${one}</li>`)}</ul><p class="text-secondary">${t("restart_what")}</p><//>`);

function Restart({ children, later, close }) {
  const [parts, setParts] = useState(null);
  const [problem, setProblem] = useState("");
  const go = async () => {
    setProblem("");
    try {
      const before = await readiness();
      const answer = await ask("api/admin/restart", { body: {} });
      setParts(answer.parts.map((part) => ({ ...part, before: started(before, part) })));
    } catch (error) {
      setProblem(error.message);
    }
  };
  if (parts) return html`<${Progress} parts=${parts}/>`;
  return html`${children}${problem && html`<${Notice} look="bad">${problem}<//>`}<div class="form-end"><${Button} onClick=${close}>${later || t("cancel")}<//>
    <${Button} look="btn-primary" icon="refresh" onClick=${go}>${t("restart_now")}<//></div>`;
}

// When this part was started last; the id of a nexus goes on with what is new at each start.
function started(state, part) {
  const same = (one) => one.part === part.part && (part.part === "control" || one.id === part.id || one.id.startsWith(`${part.id}.`));
  return Math.max(0, ...state.parts.filter(same).map((one) => one.started_at));
}

// Control starts last: when it is back, so is everything.
const isBack = (state, parts) => parts.filter((one) => one.part === "control").some((one) => started(state, one) > one.before);

function Progress({ parts }) {
  const [back, setBack] = useState(() => new Set());
  const [late, setLate] = useState(false);
  useEffect(() => {
    let timer = 0;
    const until = Date.now() + PATIENCE;
    const look = async () => {
      const state = await readiness().catch(() => null);
      const now = new Set(state ? parts.filter((one) => started(state, one) > one.before).map((one) => `${one.part} ${one.id}`) : []);
      setBack((before) => new Set([...before, ...now]));
      if (Date.now() > until) setLate(true);
      if (state?.ready && isBack(state, parts)) location.reload();
      else timer = setTimeout(look, LOOK);
    };
    look();
    return () => clearTimeout(timer);
  }, []);
  return html`<p role="status">${t("restarting")}</p><ul class="parts">${parts.map((one) => html`<li key=${`${one.part} ${one.id}`}>
      <span>${word("part", one.part)} <span class="mono">${one.id}</span></span><${State} value=${back.has(`${one.part} ${one.id}`) ? "back" : "restarting"}/></li>`)}</ul>
    ${late && html`<${Notice} look="bad">${t("restart_late")} <a href=${link("logs")}>${t("logs")}</a><//>`}`;
}
