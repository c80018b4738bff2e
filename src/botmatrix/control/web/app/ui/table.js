// A list that the server searches, sorts and pages. What it shows is in the address.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { ask, query } from "../lib/api.js";
import { t, whole } from "../lib/i18n.js";
import { adjust, go, route } from "../lib/route.js";
import { Empty, Icon, Notice } from "./basics.js";
import { Typed } from "./typed.js";

const SIZE = 50;
const AGAIN = 5;

// path, plural: where the list is; by: the field that tells its rows apart; columns: [{key, label, cell(row), number, sort: false}];
// filters: [{key, label, options?, type?, local?}], a local one is not sent as it is;
// empty: {title, what}; every: seconds between two looks; asked: fixed parameters; most: how many the server counts.
export function List({ path, plural, by = "id", columns, filters = [], empty, every = 0, asked = {}, search = true, most = Infinity, onAnswer, version = 0, size = SIZE, label }) {
  const { params } = route.value;
  const wanted = { size, ...asked, ...only(params, ["page", "sort", "q", ...filters.filter((one) => !one.local).map((one) => one.key)]) };
  const { answer, error, again } = useAnswer(`${path}${query(wanted)}`, every, version, onAnswer);
  const rows = answer?.[plural];
  const last = answer && lastPage(answer);
  // What was on the last page may have gone: then the one before it is the last.
  useEffect(() => { if (answer?.page > last) adjust({ page: last === 1 ? "" : String(last) }); }, [answer?.page > last]);
  const narrowed = Boolean(params.q) || filters.some((one) => params[one.key]);
  return html`<div class="list" aria-busy=${!answer && !error}>
    ${(search || filters.length > 0) && html`<${Tools} ...${{ params, filters, search, most }} total=${answer?.total}/>`}
    ${error && html`<${Notice} look="bad">${error.message} <button type="button" class="btn btn-sm" onClick=${again}>${t("again")}</button><//>`}
    ${rows ? (rows.length ? html`<${Rows} ...${{ columns, rows, by, params, label }}/>` : html`<${None} ...${{ empty, narrowed }}/>`) : !error && html`<${Skeleton}/>`}
    ${answer && answer.total > answer.size && html`<${Pager} ...${answer}/>`}</div>`;
}

const only = (params, names) => Object.fromEntries(names.filter((name) => params[name]).map((name) => [name, params[name]]));

const lastPage = ({ total, size }) => Math.max(1, Math.ceil(total / size));

// Keeps what it has while it looks again; the answer to an older question is dropped. While the server or an engine is away it
// asks again, also where one answer is enough.
export function useAnswer(address, every, version, onAnswer) {
  const [state, setState] = useState({});
  const [turn, setTurn] = useState(0);
  const told = useRef(onAnswer);
  told.current = onAnswer;
  useEffect(() => {
    const aborter = new AbortController();
    let timer = 0;
    const look = async () => {
      let pause = every;
      try {
        const answer = await ask(address, { signal: aborter.signal });
        setState({ answer });
        told.current?.(answer);
      } catch (error) {
        if (error.name === "AbortError") return;
        if (isAway(error)) pause ||= AGAIN;
        setState((before) => ({ ...before, error }));
      }
      if (pause && !aborter.signal.aborted) timer = setTimeout(look, pause * (document.hidden ? 5000 : 1000));
    };
    look();
    return () => {
      aborter.abort();
      clearTimeout(timer);
    };
  }, [address, every, version, turn]);
  return { ...state, again: () => setTurn(turn + 1) };
}

const isAway = ({ status }) => !status || status >= 500;

const Tools = ({ params, filters, search, total, most }) => html`<div class="tools" role="search">
    ${search && html`<div class="input-icon"><span class="input-icon-addon"><${Icon} name="search"/></span><${Typed} class="form-control" type="search" maxlength="200"
      placeholder=${t("search")} aria-label=${t("search")} value=${params.q || ""} onTyped=${(q) => adjust({ q, page: "" })}/></div>`}
    ${filters.map((one) => html`<${one.options ? Choice : Narrow} key=${one.key} one=${one} value=${params[one.key] || ""} onChosen=${(value) => adjust({ [one.key]: value, page: "" })}/>`)}
    ${total !== undefined && html`<span class="total text-secondary">${total < most ? t("total", { n: whole(total) }) : t("total_most", { n: whole(total) })}</span>`}</div>`;

const Choice = ({ one, value, onChosen }) => html`<select class="form-select" aria-label=${one.label} value=${value} onChange=${(event) => onChosen(event.target.value)}>
  <option value="">${one.label}: ${t("any")}</option>${one.options.map(([option, name]) => html`<option value=${option}>${name}</option>`)}</select>`;

// A moment shows no placeholder, so its name stands beside it.
function Narrow({ one, value, onChosen }) {
  const input = html`<${Typed} class="form-control narrow" type=${one.type || "text"} maxlength="128" placeholder=${one.label} aria-label=${one.label} value=${value} onTyped=${onChosen}/>`;
  return one.type ? html`<label class="named"><span aria-hidden="true">${one.label}</span>${input}</label>` : input;
}

function None({ empty, narrowed }) {
  if (!narrowed) return html`<${Empty} icon=${empty.icon} title=${empty.title}>${empty.what}<//>`;
  return html`<${Empty} icon="search" title=${t("nothing_found")}>${t("nothing_found_what")}<//>`;
}

export const Skeleton = () => html`<div class="skeleton" role="status" aria-label=${t("loading")}>${[9, 7, 8, 6].map((width) => html`<span class=${`w${width}`}></span>`)}</div>`;

// With `by` a row stays the same while others come and go: the focus goes along with it.
export function Rows({ columns, rows, by, params = {}, label }) {
  return html`<div class="table-responsive" tabindex="0" role="region" aria-label=${label || t("list")}><table class="table table-vcenter rows">
    <thead><tr>${columns.map((one) => html`<${Heading} one=${one} sorted=${params.sort || ""}/>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${row[by] || undefined}>${columns.map((one) => html`<td data-label=${one.label} class=${`${one.number ? "number" : ""} ${one.look || ""}`}>
      ${one.label ? html`<div>${content(one, row)}</div>` : content(one, row)}</td>`)}</tr>`)}</tbody></table></div>`;
}

const content = (column, row) => (column.cell ? column.cell(row) : row[column.key]);

function Heading({ one, sorted }) {
  if (!one.key || one.sort === false) return html`<th scope="col" class=${one.number ? "number" : ""}>${one.label || html`<span class="visually-hidden">${t("actions")}</span>`}</th>`;
  const up = sorted === one.key;
  const down = sorted === `-${one.key}`;
  const [first, second] = one.number ? [`-${one.key}`, one.key] : [one.key, `-${one.key}`];
  const next = { [first]: second, [second]: "" }[sorted] ?? first;
  return html`<th scope="col" class=${one.number ? "number" : ""} aria-sort=${up ? "ascending" : down ? "descending" : "none"}>
    <button type="button" class="sorter" onClick=${() => adjust({ sort: next, page: "" })}>${one.label}
      <${Icon} name=${up ? "chevron-up" : down ? "chevron-down" : "selector"}/></button></th>`;
}

function Pager({ total, page, size }) {
  const last = lastPage({ total, size });
  const { page: place, thing, params } = route.value;
  const to = (wanted) => go(place, thing, { ...params, page: wanted === 1 ? "" : String(wanted) });
  return html`<nav class="pager" aria-label=${t("pages")}>
    <button type="button" class="btn btn-sm" disabled=${page <= 1} onClick=${() => to(page - 1)}><${Icon} name="chevron-left"/>${t("previous")}</button>
    <span>${t("page_of", { page: whole(page), last: whole(last) })}</span>
    <button type="button" class="btn btn-sm" disabled=${page >= last} onClick=${() => to(page + 1)}>${t("next")}<${Icon} name="chevron-right"/></button></nav>`;
}
