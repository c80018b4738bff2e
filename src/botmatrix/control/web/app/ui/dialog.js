// Dialogs: the browser's own, which keep the focus inside and close by Escape.
import { html, signal, useEffect, useRef, useState } from "../lib/html.js";
import { t } from "../lib/i18n.js";
import { Button, Icon, Notice } from "./basics.js";

// Where one begins to type or choose: not at the cross that closes it.
const FIRST = ":is(input, select, textarea, button):not(:disabled, .card-actions, [hidden])";
const open = signal([]);

// `draw(close)` is the content. What is open stays open, with all that was typed, until it is closed.
export function dialog(title, draw, { wide = false, onClose } = {}) {
  const one = { title, draw, wide };
  one.close = () => {
    open.value = open.value.filter((other) => other !== one);
    onClose?.();
  };
  open.value = [...open.value, one];
  return one.close;
}

export const Dialogs = () => html`${open.value.map((one) => html`<${Shown} key=${one} ...${one}/>`)}`;

function Shown({ title, draw, wide, close }) {
  const box = useRef(null);
  useEffect(() => {
    box.current.showModal();
    box.current.querySelector(FIRST)?.focus();
  }, []);
  return html`<dialog ref=${box} class=${wide ? "card wide" : "card"} aria-label=${title} onClose=${close}>
    <div class="card-header"><h2 class="card-title">${title}</h2>
      <button type="button" class="btn btn-icon btn-ghost-secondary btn-sm card-actions" aria-label=${t("close")} onClick=${close}><${Icon} name="x"/></button></div>
    <div class="card-body">${draw(close)}</div></dialog>`;
}

// Asks before something that can't be taken back, then does it.
export function confirm(title, text, verb, act) {
  dialog(title, (close) => html`<${Question} ...${{ text, verb, act, close }}/>`);
}

function Question({ text, verb, act, close }) {
  const [problem, setProblem] = useState("");
  const go = async () => {
    setProblem("");
    try {
      await act();
      close();
    } catch (error) {
      setProblem(error.message);
    }
  };
  return html`<p>${text}</p>${problem && html`<${Notice} look="bad">${problem}<//>`}<div class="form-end">
    <${Button} onClick=${close}>${t("cancel")}<//><${Button} look="btn-danger" onClick=${go}>${verb}<//></div>`;
}
