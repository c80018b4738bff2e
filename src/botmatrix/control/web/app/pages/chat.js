// Talking to the plugins through a simulated bot: people and groups that are not real, plugins that are.
import { expired } from "../lib/api.js";
import { html, signal, useEffect, useRef, useState } from "../lib/html.js";
import { clock, t, word } from "../lib/i18n.js";
import { adjust, link, route } from "../lib/route.js";
import { attend, forget, open, say, sim } from "../lib/sim.js";
import { Button, Empty, Head, Icon, Notice, State } from "../ui/basics.js";
import { toast } from "../ui/toast.js";

const LARGEST_IMAGE = 1024 * 1024;
const draft = signal("");

export default function Chat() {
  useEffect(() => attend(), []);
  useEffect(() => { if (!expired.value && sim.state.value === "closed") open(); }, [expired.value]);
  const cast = sim.cast.value;
  return html`<${Head} title=${t("chat")}>${cast && html`<span class="mono text-secondary">${cast.bot}</span>`}<${Link}/>
      <${Button} icon="trash" onClick=${forget}>${t("chat_clear")}<//><//>
    <${Notice}>${t("chat_what")}<//>${sim.trouble.value && html`<${Notice} look="warn">${sim.trouble.value}<//>`}
    ${sim.state.value === "elsewhere" && html`<${Notice} look="warn">${t("chat_elsewhere")} <button type="button" class="btn btn-sm" onClick=${open}>${t("chat_here")}</button><//>`}
    ${cast ? html`<${Room} cast=${cast}/>` : html`<div class="card"><div class="skeleton" role="status" aria-label=${t("loading")}><span class="w9"></span><span class="w7"></span></div></div>`}`;
}

const Link = () => html`<${State} value=${sim.state.value === "open" ? "online" : sim.state.value === "opening" ? "connecting" : "offline"}/>`;

function Room({ cast }) {
  const convs = conversations(cast);
  const conv = convs.some((one) => one.id === route.value.params.in) ? route.value.params.in : convs[0].id;
  const speaker = Number(route.value.params.as) || cast.people[0].id;
  const user = conv.startsWith("private:") ? Number(conv.slice(8)) : speaker;
  return html`<div class="card chat"><nav class="convs" aria-label=${t("conversations")}>${convs.map((one) => html`<button type="button" aria-current=${one.id === conv ? "true" : undefined}
      onClick=${() => adjust({ in: one.id })}><${Icon} name=${one.group ? "users-group" : "user"}/><span>${one.name}<small>${preview(one.id)}</small></span></button>`)}</nav>
    <div class="talk"><${Lines} cast=${cast} conv=${conv}/><${Composer} cast=${cast} conv=${conv} user=${user}/></div></div>`;
}

const conversations = (cast) => [...cast.groups.map((one) => ({ id: `group:${one.id}`, name: one.name, group: true })), ...cast.people.map((one) => ({ id: `private:${one.id}`, name: one.name }))];
const preview = (conv) => words(sim.lines.value.filter((one) => one.conv === conv && one.message).at(-1)?.message || []).slice(0, 40);
const words = (message) => message.map(({ type, data }) => (type === "text" ? data.text : `[${type}]`)).join("");

function Lines({ cast, conv }) {
  const box = useRef(null);
  const lines = sim.lines.value.filter((one) => !one.conv || one.conv === conv);
  useEffect(() => { box.current.scrollTop = box.current.scrollHeight; }, [lines.length, conv]);
  return html`<div class="lines-of-talk" ref=${box} tabindex="0" role="log" aria-label=${t("conversation")}>${lines.length ? lines.map((one) => html`<${Line} key=${one.key || `${one.at}${one.id}`} one=${one} cast=${cast}/>`)
    : html`<${Empty} icon="message-chatbot" title=${t("chat_empty")}>${t("chat_empty_what")}<//>`}</div>`;
}

function Line({ one, cast }) {
  if (one.note) return html`<p class="note mono"><${Icon} name="plug"/>${t("chat_did")} ${one.note}${!one.done && ` — ${t("chat_not_done")}`}</p>`;
  const name = one.bot ? "BotMatrix" : cast.people.find((person) => person.id === one.user)?.name;
  return html`<article class=${`bubble ${one.bot ? "bot" : "person"} ${one.gone ? "gone" : ""}`}><header><strong>${name}</strong> <time>${clock(one.at / 1000)}</time></header>
    <div class="words">${one.message.map((part) => html`<${Part} part=${part} cast=${cast}/>`)}</div>${one.gone && html`<small>${t("chat_taken_back")}</small>`}
    ${!one.bot && html`<footer>${one.event && html`<${State} value=${one.outcome}/>${one.reason && html`<small>${word("reason", one.reason)}</small>`}<a href=${link("trace", one.event)}>${t("trace")}</a>`}</footer>`}</article>`;
}

function Part({ part: { type, data }, cast }) {
  if (type === "text") return html`<span>${data.text}</span>`;
  if (type === "at") return html`<b class="at">@${data.qq === "all" ? "all" : nameOf(cast, data.qq)}</b>`;
  if (type === "image") return html`<${Picture} file=${String(data.file || data.url || "")}/>`;
  return html`<span class="text-secondary">[${type}${data.id ? ` ${data.id}` : ""}]</span>`;
}

const nameOf = (cast, id) => [{ id: cast.self_id, name: "BotMatrix" }, ...cast.people].find((one) => String(one.id) === String(id))?.name || id;

// Nothing is loaded from elsewhere: an address is shown as a link.
function Picture({ file }) {
  if (/^base64:\/\/[\w+/=-]+$/.test(file)) return html`<img class="picture" alt=${t("image")} src=${`data:image/png;base64,${file.slice(9)}`}/>`;
  if (/^https?:\/\//.test(file)) return html`<a href=${file} target="_blank" rel="noopener noreferrer">${t("image")}: ${file.slice(0, 200)}</a>`;
  return html`<span class="text-secondary">[${t("image")}]</span>`;
}

function Composer({ cast, conv, user }) {
  const [image, setImage] = useState("");
  const box = useRef(null);
  const picker = useRef(null);
  const send = () => {
    const message = [...segments(draft.value, cast), ...(image ? [{ type: "image", data: { file: image } }] : [])];
    if (!message.length || !say(conv, user, message)) return;
    draft.value = "";
    setImage("");
    box.current.focus();
  };
  const press = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  };
  const mention = (event) => {
    draft.value = `${draft.value}@${event.target.value} `;
    event.target.value = "";
    box.current.focus();
  };
  const pick = async (event) => {
    const file = event.target.files[0];
    event.target.value = "";
    if (file && file.size > LARGEST_IMAGE) toast(t("image_too_large"), "bad");
    else if (file) setImage(await base64(file));
  };
  return html`<form class="composer" onSubmit=${(event) => { event.preventDefault(); send(); }}>
    ${image && html`<div class="attached"><${Picture} file=${image}/><${Button} look="btn-sm btn-icon" icon="x" aria-label=${t("delete")} onClick=${() => setImage("")}/></div>`}
    <div class="says">${conv.startsWith("group:") && html`<label><span>${t("chat_as")}</span><select class="form-select form-select-sm" value=${user} onChange=${(event) => adjust({ as: event.target.value })}>
        ${cast.people.map((one) => html`<option value=${one.id}>${one.name}</option>`)}</select></label>`}
      <select class="form-select form-select-sm" aria-label=${t("mention")} value="" onChange=${mention}><option value="">@</option>${called(cast).map(([name]) => html`<option value=${name}>${name}</option>`)}</select>
      <${Button} look="btn-sm btn-icon" icon="photo" aria-label=${t("image")} title=${t("image")} onClick=${() => picker.current.click()}/>
      <input ref=${picker} type="file" accept="image/png,image/jpeg,image/gif,image/webp" hidden aria-label=${t("image")} onChange=${pick}/></div>
    <div class="line-of-words"><textarea ref=${box} class="form-control" rows="2" maxlength="4000" name="words" aria-label=${t("message")} placeholder=${t("chat_placeholder")} value=${draft.value}
      onInput=${(event) => { draft.value = event.target.value; }} onKeyDown=${press}></textarea>
    <button class="btn btn-primary btn-icon" aria-label=${t("send")} disabled=${sim.state.value !== "open"}><${Icon} name="send"/></button></div></form>`;
}

const called = (cast) => [["BotMatrix", cast.self_id], ...cast.people.map((one) => [one.name, one.id]), ["all", "all"]];

// "@Ann hello" is a mention and a text.
function segments(text, cast) {
  const names = new Map(called(cast));
  const found = text.split(new RegExp(`@(${[...names.keys()].join("|")})(?!\\w)`)).map((part, at) => (at % 2
    ? { type: "at", data: { qq: String(names.get(part)) } } : { type: "text", data: { text: part } }));
  return text.trim() ? found.filter((one) => one.type === "at" || one.data.text) : [];
}

async function base64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return `base64://${btoa(text)}`;
}
