// Settings as a list to change, and the bar that saves what was changed on any tab.
import { ask, me } from "../../lib/api.js";
import { html, useState } from "../../lib/html.js";
import { t, translated, word } from "../../lib/i18n.js";
import { Button, Card, Copy, Icon, Notice, Quiet } from "../../ui/basics.js";
import { toast } from "../../ui/toast.js";
import { offerRestart } from "./restart.js";

const CHOICES = { log_level: ["debug", "info", "warning", "error"], log_format: ["console", "json"] };
export const settingName = (key) => word("setting", key);

export const Settings = ({ title, keys, config, draft, setDraft }) => html`<${Card} title=${title} flush>${keys.filter((key) => config[key]).map((key) => html`<${Setting}
  key=${key} name=${key} one=${config[key]} ...${{ draft, setDraft }}/>`)}<//>`;

function Setting({ name, one, draft, setDraft }) {
  const changed = name in draft;
  const barred = one.for_owners && me.value.may !== "owner";
  const put = (value) => setDraft((before) => ({ ...before, [name]: value }));
  const drop = () => setDraft(({ [name]: _, ...rest }) => rest);
  const id = `set-${name}`;
  return html`<div class=${`setting ${changed ? "changed" : ""}`}><div>
      <label class="setting-name" for=${id}>${settingName(name)}</label> <code class="text-secondary">${name}</code>
      <p class="text-secondary" id=${`${id}-hint`}>${word("about", name, one.description)}</p><${Standing} ...${{ one, barred }}/></div>
    <div class="setting-value"><${Value} ...${{ id, name, one, put, drop }} value=${changed ? draft[name] : one.pending ?? one.value} locked=${Boolean(one.locked_by) || barred}/>
      <div class="setting-acts">${changed && html`<button type="button" class="btn btn-sm" onClick=${drop} aria-label=${`${t("undo")}: ${settingName(name)}`}>${t("undo")}</button>`}
        ${!changed && one.source === "database" && !barred && html`<button type="button" class="btn btn-sm" onClick=${() => put(null)}
          aria-label=${`${t("take_back")}: ${settingName(name)}`}>${t("take_back")}</button>`}</div></div></div>`;
}

// Where the value comes from, when a change acts, and what is stronger.
const Standing = ({ one, barred }) => html`<div class="standing"><span class="badge tag">${one.locked_by === "up" ? "up" : word("source", one.source)}</span>
  <span>${one.hot ? t("acts_at_once") : t("acts_after_restart")}</span>
  ${one.needs_restart && html`<strong class="waits">${t("waits_now", { value: said(one.value) })}</strong>`}
  ${one.locked_by && html`<span class="locked"><${Icon} name="lock"/>${/^[A-Z_]+$/.test(one.locked_by) ? t("locked_by", { what: one.locked_by })
    : one.locked_by === "up" ? t("locked_by_up") : one.source === "flag" ? t("locked_by_flag") : t("locked_here")}</span>`}
  ${!one.locked_by && barred && html`<span class="locked"><${Icon} name="lock"/>${t("for_owners")}</span>`}</div>`;

const said = (value) => (value === null ? "•••" : Array.isArray(value) ? value.join(", ") || "–" : String(value) || "–");

function Value({ id, name, one, value, put, drop, locked }) {
  const common = { id, name, disabled: locked, "aria-describedby": `${id}-hint` };
  if (value === null && !one.secret) return html`<${Quiet}>${t("taken_back")} ${one.default !== null && html`<code>${said(one.default)}</code>`}<//>`;
  if (typeof one.value === "boolean") {
    return html`<label class="form-check form-switch"><input ...${common} class="form-check-input" type="checkbox" role="switch" checked=${value}
      onChange=${(event) => put(event.target.checked)}/><span class="form-check-label">${value ? t("on") : t("off")}</span></label>`;
  }
  if (one.secret) return html`<${SecretValue} ...${{ common, one, put, drop, value }}/>`;
  if (CHOICES[name]) {
    return html`<select class="form-select" ...${common} value=${value} onChange=${(event) => put(event.target.value)}>${CHOICES[name].map((choice) => html`<option>${choice}</option>`)}</select>`;
  }
  if (Array.isArray(one.value)) return html`<${Lines} ...${{ common, value, put }}/>`;
  const number = typeof one.value === "number";
  const read = (event) => put(number && event.target.value !== "" ? Number(event.target.value) : event.target.value);
  return html`<input class="form-control" ...${common} type=${number ? "number" : "text"} value=${value} placeholder=${translated(one.expected)} autocapitalize="none" spellcheck=${false}
    autocomplete="off" onInput=${read}/>`;
}

// One a line; what is typed stays as it is typed.
function Lines({ common, value, put }) {
  const [typed, setTyped] = useState((value || []).join("\n"));
  const items = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);
  const input = (event) => {
    setTyped(event.target.value);
    put(items(event.target.value));
  };
  const shown = items(typed).join("\n") === (value || []).join("\n") ? typed : (value || []).join("\n");
  return html`<textarea class="form-control mono" rows=${Math.min(6, Math.max(2, shown.split("\n").length))} ...${common} spellcheck=${false} autocapitalize="none"
      onInput=${input} value=${shown}></textarea><small class="form-hint">${t("one_a_line")}</small>`;
}

function SecretValue({ common, one, value, put, drop }) {
  const generate = () => put(btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(24)))).replace(/[+/=]/g, ""));
  const typed = value || "";
  return html`<input class="form-control" ...${common} type=${typed ? "text" : "password"} autocomplete="new-password" value=${typed} spellcheck=${false}
      placeholder=${one.set ? t("is_set") : t("is_not_set")} onInput=${(event) => (event.target.value ? put(event.target.value) : drop())}/>
    ${!common.disabled && common.name.endsWith("_token") && html`<div class="setting-acts"><${Button} look="btn-sm" icon="key" onClick=${generate}>${t("generate")}<//>
      ${typed && html`<${Copy} text=${typed} label=${settingName(common.name)}/>`}</div>`}`;
}

// What was changed on all tabs, saved together: all of it or nothing.
export function SaveBar({ config, draft, setDraft, onSaved }) {
  const [problem, setProblem] = useState("");
  const keys = Object.keys(draft);
  if (!keys.length) return null;
  const save = async () => {
    setProblem("");
    try {
      const answer = await ask("api/admin/config", { body: draft });
      setDraft({});
      onSaved();
      const waiting = keys.filter((key) => answer.needs_restart.includes(key));
      if (waiting.length) offerRestart(waiting.map(settingName));
      else toast(t("saved"));
    } catch (error) {
      setProblem(error.message);
    }
  };
  const restarts = keys.some((key) => !config[key].hot);
  return html`<div class="savebar" role="region" aria-label=${t("unsaved")}>${problem && html`<${Notice} look="bad">${problem}<//>`}
    <div class="savebar-row"><span>${t("changed_n", { n: keys.length })} <${Quiet}>${keys.map(settingName).join(", ")}${restarts ? ` · ${t("acts_after_restart")}` : ""}<//></span>
      <${Button} onClick=${() => { setDraft({}); setProblem(""); }}>${t("discard")}<//><${Button} look="btn-primary" onClick=${save}>${t("save")}<//></div></div>`;
}
