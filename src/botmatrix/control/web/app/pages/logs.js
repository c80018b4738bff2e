// The newest lines of all parts' logs, followed as they come.
import { ask, query } from "../lib/api.js";
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { clock, exact, t, word } from "../lib/i18n.js";
import { adjust, route } from "../lib/route.js";
import { Button, Empty, Head, Icon, Notice, State } from "../ui/basics.js";
import { Typed } from "../ui/typed.js";

const LEVELS = ["debug", "info", "warning", "error"];
const PARTS = ["nexus", "control", "worker"];
const MOST = 1000;
const EVERY = 1500;

export default function Logs() {
  const { level = "info", q = "", part = "" } = route.value.params;
  const [paused, setPaused] = useState(false);
  const { lines, error } = useLines({ level, q, part }, paused);
  return html`<${Head} title=${t("logs")}><${Button} icon=${paused ? "player-play" : "player-pause"} onClick=${() => setPaused(!paused)}>${paused ? t("follow") : t("pause")}<//>
      <${Button} icon="download" onClick=${() => save(lines)}>${t("download")}<//><//>
    <div class="card"><${Tools} ...${{ level, q, part }}/>${error && html`<${Notice} look="bad">${error.message}<//>`}
      ${lines?.length ? html`<${Lines} lines=${lines} paused=${paused}/>` : lines && html`<${Empty} icon="file-text" title=${t("no_lines")}>${t("no_lines_what")}<//>`}</div>`;
}

// What is shown, and what came since; a change of the filter begins anew.
function useLines(asked, paused) {
  const [state, setState] = useState({});
  const address = JSON.stringify(asked);
  const held = useRef({});
  held.current.paused = paused;
  useEffect(() => {
    const aborter = new AbortController();
    let timer = 0;
    let since = "";
    let known = [];
    const look = async () => {
      try {
        if (!held.current.paused || !since) {
          const answer = await ask(`api/logs${query({ ...asked, since, size: since ? 1000 : 300 })}`, { signal: aborter.signal });
          if (answer.logs.length || !since) known = [...known, ...answer.logs].slice(-MOST);
          since = answer.last;
          setState({ lines: known });
        }
      } catch (error) {
        if (error.name === "AbortError") return;
        setState({ lines: known, error });
      }
      timer = setTimeout(look, EVERY);
    };
    look();
    return () => {
      aborter.abort();
      clearTimeout(timer);
    };
  }, [address]);
  return state;
}

const Tools = ({ level, q, part }) => html`<div class="tools" role="search"><div class="input-icon"><span class="input-icon-addon"><${Icon} name="search"/></span>
      <${Typed} class="form-control" type="search" maxlength="200" placeholder=${t("search")} aria-label=${t("search")} value=${q} onTyped=${(typed) => adjust({ q: typed })}/></div>
    <select class="form-select" aria-label=${t("level")} value=${level} onChange=${(event) => adjust({ level: event.target.value })}>
      ${LEVELS.map((one) => html`<option value=${one}>${word("state", one)}</option>`)}</select>
    <select class="form-select" aria-label=${t("part")} value=${part} onChange=${(event) => adjust({ part: event.target.value })}>
      <option value="">${t("part")}: ${t("any")}</option>${PARTS.map((one) => html`<option value=${one}>${word("part", one)}</option>`)}</select></div>`;

function Lines({ lines, paused }) {
  const box = useRef(null);
  const atEnd = useRef(true);
  useEffect(() => { if (atEnd.current && !paused) box.current.scrollTop = box.current.scrollHeight; }, [lines]);
  const scrolled = () => { atEnd.current = box.current.scrollHeight - box.current.scrollTop - box.current.clientHeight < 40; };
  return html`<div class="lines mono" ref=${box} onScroll=${scrolled} tabindex="0" role="log" aria-live="off" aria-label=${t("logs")}>${lines.map((one) => html`<div key=${one.id} class="line">
    <time title=${exact(one.t)}>${clock(one.t)}</time><span class="part">${one.part}</span><${State} value=${one.level}/><span>${one.text}</span></div>`)}</div>`;
}

function save(lines) {
  const text = lines.map((one) => `${new Date(one.t * 1000).toISOString()} ${one.part} ${one.level} ${one.text}\n`).join("");
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  anchor.download = "botmatrix.log";
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 1000);
}
