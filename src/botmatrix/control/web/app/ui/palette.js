// Ctrl-K: go anywhere by typing a part of its name.
import { html, useState } from "../lib/html.js";
import { t } from "../lib/i18n.js";
import { dialog } from "./dialog.js";
import { Icon } from "./basics.js";

let shown = false;

// commands: [{name, icon, run, also?}]; `also` is what it is called in addresses, in any language.
export function openPalette(commands) {
  if (shown) return;
  shown = true;
  const draw = (close) => html`<${Palette} commands=${commands} close=${close}/>`;
  dialog(t("palette"), draw, { onClose: () => { shown = false; } });
}

function Palette({ commands, close }) {
  const [typed, setTyped] = useState("");
  const [at, setAt] = useState(0);
  const wanted = typed.trim().toLowerCase();
  const found = commands.filter((one) => one.name.toLowerCase().includes(wanted) || one.also?.startsWith(wanted));
  const run = (one) => {
    close();
    one?.run();
  };
  const press = (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown") setAt(Math.min(at + 1, found.length - 1));
    else if (event.key === "ArrowUp") setAt(Math.max(at - 1, 0));
    else if (event.key === "Enter") run(found[at]);
    else return;
    event.preventDefault();
  };
  return html`<div class="palette"><input class="form-control" autofocus role="combobox" aria-expanded="true" aria-controls="palette-found"
      aria-activedescendant=${found[at] ? `palette-${at}` : undefined} aria-label=${t("palette")} placeholder=${t("palette_hint")} value=${typed}
      onInput=${(event) => { setTyped(event.target.value); setAt(0); }} onKeyDown=${press}/>
    <ul id="palette-found" role="listbox" aria-label=${t("palette")}>${found.map((one, place) => html`<li id=${`palette-${place}`} role="option" aria-selected=${place === at}
      class=${place === at ? "chosen" : ""} onClick=${() => run(one)}><${Icon} name=${one.icon}/>${one.name}</li>`)}</ul></div>`;
}
