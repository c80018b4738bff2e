// A form from a JSON Schema of an object: string (enum, format password or textarea), boolean, integer, number, array of strings.
// Beyond the schema a field may have shown(values), whether it is there, and says(value, values), what stands below it.
import { html, useState } from "../lib/html.js";
import { t } from "../lib/i18n.js";
import { Notice } from "./basics.js";

let forms = 0;

// `onSubmit(values)` may throw: the message is shown and nothing that was typed is lost.
export function Form({ schema, value = {}, submit, onSubmit, onCancel, danger }) {
  const [values, setValues] = useState(() => ({ ...defaults(schema), ...value }));
  const [said, setSaid] = useState("");
  const [busy, setBusy] = useState(false);
  const [id] = useState(() => `form${(forms += 1)}`);
  const send = async (event) => {
    event.preventDefault();
    setBusy(true);
    setSaid("");
    try {
      await onSubmit(values);
    } catch (error) {
      setSaid(error.message);
    } finally {
      setBusy(false);
    }
  };
  const fields = Object.entries(schema.properties).filter(([, field]) => field.shown?.(values) ?? true).map(([name, field]) => html`<${Field} key=${name} id=${`${id}-${name}`} name=${name}
    field=${field} required=${schema.required?.includes(name)} value=${values[name]} said=${field.says?.(values[name], values)}
    onValue=${(changed) => setValues((before) => ({ ...before, [name]: changed }))}/>`);
  return html`<form onSubmit=${send} class="form">${fields}${said && html`<${Notice} look="bad">${said}<//>`}
    <div class="form-end">${onCancel && html`<button type="button" class="btn" onClick=${onCancel}>${t("cancel")}</button>`}
      <button class=${`btn ${danger ? "btn-danger" : "btn-primary"}`} disabled=${busy}>${submit}</button></div></form>`;
}

const defaults = (schema) => Object.fromEntries(
  Object.entries(schema.properties).map(([name, field]) => [name, field.default ?? (field.type === "boolean" ? false : field.type === "array" ? [] : "")]),
);

export function Field({ id, name, field, required, value, said, onValue }) {
  const hint = field.description && html`<small id=${`${id}-hint`} class="form-hint">${field.description}</small>`;
  if (field.type === "boolean") {
    return html`<label class="form-check form-switch"><input id=${id} name=${name} class="form-check-input" type="checkbox" checked=${value}
      disabled=${field.readOnly} onChange=${(event) => onValue(event.target.checked)}/><span class="form-check-label">${field.title}</span>${hint}</label>`;
  }
  return html`<div class="field"><label class=${`form-label ${required ? "required" : ""}`} for=${id}>${field.title}</label>
    <${Input} ...${{ id, name, field, required, value, onValue }}/>${hint}${said}</div>`;
}

function Input({ id, name, field, required, value, onValue }) {
  const common = { id, name, required, disabled: field.readOnly, "aria-describedby": field.description && `${id}-hint` };
  if (field.enum) {
    return html`<select class="form-select" ...${common} value=${value} onChange=${(event) => onValue(event.target.value)}>
      ${field.enum.map((one, at) => html`<option value=${one}>${field.names?.[at] ?? one}</option>`)}</select>`;
  }
  if (field.type === "array") {
    const lines = (event) => onValue(event.target.value.split("\n").map((line) => line.trim()).filter(Boolean));
    return html`<textarea class="form-control mono" rows=${field.rows || 3} ...${common} placeholder=${field.placeholder} spellcheck=${false} onChange=${lines}>${(value || []).join("\n")}</textarea>`;
  }
  if (field.format === "textarea") {
    return html`<textarea class="form-control mono" rows=${field.rows || 4} ...${common} value=${value} onInput=${(event) => onValue(event.target.value)}></textarea>`;
  }
  const number = field.type === "integer" || field.type === "number";
  const type = number ? "number" : field.format === "password" ? "password" : "text";
  const limits = { min: field.minimum, max: field.maximum, step: field.type === "number" ? "any" : undefined, minlength: field.minLength,
    maxlength: field.maxLength, autocomplete: field.autocomplete || "off", placeholder: field.placeholder, list: field.suggestions && `${id}-list` };
  const read = (text) => (number && text !== "" ? Number(text) : text);
  return html`<input class="form-control" type=${type} ...${common} ...${limits} value=${value} autocapitalize="none" spellcheck=${false}
    onInput=${(event) => onValue(read(event.target.value))}/>
    ${field.suggestions && html`<datalist id=${`${id}-list`}>${field.suggestions.map((one) => html`<option value=${one}/>`)}</datalist>`}`;
}
