// A list that the server searches, sorts and pages. What it shows is in the address.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { ask, query } from "../lib/api.js";
import { t, whole } from "../lib/i18n.js";
import { adjust, route } from "../lib/route.js";
import { Empty, Icon, Notice } from "./basics.js";

const SIZE = 50;

// path, plural: where the list is; columns: [{key, label, cell(row), number, sort: false}]; filters: [{key, label, options?, type?, local?}], a local one is not
// sent as it is;
// empty: {title, what}; every: seconds between two looks; asked: fixed parameters; after: what the answer is told to.
export function List({ path, plural, columns, filters = [], empty, every = 0, asked = {}, search = true, onAnswer, version = 0, size = SIZE, label }) {
  const { params } = route.value;
  const wanted = { size, ...asked, ...only(params, ["page", "sort", "q", ...filters.filter((one) => !one.local).map((one) => one.key)]) };
  const { answer, error, again } = useAnswer(`${path}${query(wanted)}`, every, version, onAnswer);
  const rows = answer?.[plural];
  const narrowed = Boolean(params.q) || filters.some((one) => params[one.key]);
  return html`<div class="list" aria-busy=${!answer && !error}>
    ${(search || filters.length > 0) && html`<${Tools} ...${{ params, filters, search }} total=${answer?.total}/>`}
    ${error && html`<${Notice} look="bad">${error.message} <button type="button" class="btn btn-sm" onClick=${again}>${t("again")}</button><//>`}
    ${rows ? (rows.length ? html`<${Rows} ...${{ columns, rows, params, label }}/>` : html`<${None} ...${{ empty, narrowed }}/>`) : !error && html`<${Loading}/>`}
    ${answer && answer.total > answer.size && html`<${Pager} ...${answer}/>`}</div>`;
}

const only = (params, names) => Object.fromEntries(names.filter((name) => params[name]).map((name) => [name, params[name]]));

// Keeps what it has while it looks again; the answer to an older question is dropped.
export function useAnswer(address, every, version, onAnswer) {
  const [state, setState] = useState({});
  const [turn, setTurn] = useState(0);
  const told = useRef(onAnswer);
  told.current = onAnswer;
  useEffect(() => {
    const aborter = new AbortController();
    let timer = 0;
    const look = async () => {
      try {
        const answer = await ask(address, { signal: aborter.signal });
        setState({ answer });
        told.current?.(answer);
      } catch (error) {
        if (error.name === "AbortError") return;
        setState((before) => ({ ...before, error }));
      }
      if (every && !aborter.signal.aborted) timer = setTimeout(look, every * (document.hidden ? 5000 : 1000));
    };
    look();
    return () => {
      aborter.abort();
      clearTimeout(timer);
    };
  }, [address, every, version, turn]);
  return { ...state, again: () => setTurn(turn + 1) };
}

function Tools({ params, filters, search, total }) {
  const waiting = useRef(0);
  const later = (key) => (event) => {
    clearTimeout(waiting.current);
    const { value } = event.target;
    waiting.current = setTimeout(() => adjust({ [key]: value, page: "" }), 250);
  };
  return html`<div class="tools" role="search">
    ${search && html`<div class="input-icon"><span class="input-icon-addon"><${Icon} name="search"/></span>
      <input class="form-control" type="search" maxlength="200" placeholder=${t("search")} aria-label=${t("search")} value=${params.q || ""} onInput=${later("q")}/></div>`}
    ${filters.map((one) => one.options
      ? html`<select class="form-select" aria-label=${one.label} value=${params[one.key] || ""} onChange=${(event) => adjust({ [one.key]: event.target.value, page: "" })}>
          <option value="">${one.label}: ${t("any")}</option>${one.options.map(([value, name]) => html`<option value=${value}>${name}</option>`)}</select>`
      : html`<${Narrow} one=${one} value=${params[one.key] || ""} onInput=${later(one.key)}/>`)}
    ${total !== undefined && html`<span class="total text-secondary">${t("total", { n: whole(total) })}</span>`}</div>`;
}

// A moment shows no placeholder, so its name stands beside it.
function Narrow({ one, value, onInput }) {
  const input = html`<input class="form-control narrow" type=${one.type || "text"} maxlength="128" placeholder=${one.label} aria-label=${one.label} value=${value} onInput=${onInput}/>`;
  return one.type ? html`<label class="named"><span aria-hidden="true">${one.label}</span>${input}</label>` : input;
}

function None({ empty, narrowed }) {
  if (!narrowed) return html`<${Empty} icon=${empty.icon} title=${empty.title}>${empty.what}<//>`;
  return html`<${Empty} icon="search" title=${t("nothing_found")}>${t("nothing_found_what")}<//>`;
}

const Loading = () => html`<div class="skeleton" role="status" aria-label=${t("loading")}>${[9, 7, 8, 6].map((width) => html`<span class=${`w${width}`}></span>`)}</div>`;

export function Rows({ columns, rows, params = {}, label }) {
  return html`<div class="table-responsive" tabindex="0" role="region" aria-label=${label || t("list")}><table class="table table-vcenter rows">
    <thead><tr>${columns.map((one) => html`<${Heading} one=${one} sorted=${params.sort || ""}/>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr>${columns.map((one) => html`<td data-label=${one.label} class=${`${one.number ? "number" : ""} ${one.look || ""}`}>
      ${one.label ? html`<div>${content(one, row)}</div>` : content(one, row)}</td>`)}</tr>`)}</tbody></table></div>`;
}

const content = (column, row) => (column.cell ? column.cell(row) : row[column.key]);

function Heading({ one, sorted }) {
  if (!one.key || one.sort === false) return html`<th scope="col" class=${one.number ? "number" : ""}>${one.label || html`<span class="visually-hidden">${t("actions")}</span>`}</th>`;
  const up = sorted === one.key;
  const down = sorted === `-${one.key}`;
  const next = up ? `-${one.key}` : down ? "" : one.number ? `-${one.key}` : one.key;
  return html`<th scope="col" class=${one.number ? "number" : ""} aria-sort=${up ? "ascending" : down ? "descending" : "none"}>
    <button type="button" class="sorter" onClick=${() => adjust({ sort: next, page: "" })}>${one.label}
      <${Icon} name=${up ? "chevron-up" : down ? "chevron-down" : "selector"}/></button></th>`;
}

function Pager({ total, page, size }) {
  const last = Math.max(1, Math.ceil(total / size));
  const to = (wanted) => adjust({ page: wanted === 1 ? "" : String(wanted) });
  return html`<nav class="pager" aria-label=${t("pages")}>
    <button type="button" class="btn btn-sm" disabled=${page <= 1} onClick=${() => to(page - 1)}><${Icon} name="chevron-left"/>${t("previous")}</button>
    <span>${t("page_of", { page: whole(page), last: whole(last) })}</span>
    <button type="button" class="btn btn-sm" disabled=${page >= last} onClick=${() => to(page + 1)}>${t("next")}<${Icon} name="chevron-right"/></button></nav>`;
}
