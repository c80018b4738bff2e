// Logging in, and logging in again on top of a page whose login ended: what was typed there stays.
import { enter, leave, me } from "./lib/api.js";
import { go } from "./lib/route.js";
import { html, useEffect, useRef } from "./lib/html.js";
import { t } from "./lib/i18n.js";
import { Appearance } from "./appearance.js";
import { Form } from "./ui/form.js";
import { Notice } from "./ui/basics.js";

const schema = () => ({
  required: ["username", "password"],
  properties: {
    username: { type: "string", title: t("username"), maxLength: 256, autocomplete: "username" },
    password: { type: "string", format: "password", title: t("password"), maxLength: 1024, autocomplete: "current-password" },
  },
});

async function logIn(values) {
  try {
    await enter(values);
    if (me.value.generated_password && !location.hash) go("setup");
  } catch (error) {
    if (error.status === 401) throw new Error(t("bad_credentials"));
    if (error.status === 429) throw new Error(t("too_many"));
    throw error;
  }
}

export function Login() {
  const box = useRef(null);
  useEffect(() => { box.current.querySelector("input")?.focus(); }, []);
  return html`<main class="login" ref=${box}><div class="login-box">
  <div class="brand"><img src="static/icon.svg" alt="" width="40" height="40"/><h1>BotMatrix</h1></div>
  <div class="card"><div class="card-body"><h2 class="h3">${t("login")}</h2>
    <${Form} schema=${schema()} submit=${t("login")} onSubmit=${logIn}/>
    <p class="text-secondary login-hint">${t("login_hint")}</p></div></div>
  <${Appearance}/></div></main>`;
}

export function Expired() {
  const box = useRef(null);
  useEffect(() => {
    box.current.showModal();
    box.current.querySelector("[type=password]").focus();
  }, []);
  const { username } = me.value.user;
  const stay = (event) => event.preventDefault();
  return html`<dialog ref=${box} class="card" aria-label=${t("session_over")} onCancel=${stay}>
    <div class="card-header"><h2 class="card-title">${t("session_over")}</h2></div>
    <div class="card-body"><${Notice} look="warn">${t("session_over_what")}<//>
      <${Form} schema=${schema()} value=${{ username }} submit=${t("login")} onSubmit=${logIn} onCancel=${leave}/></div></dialog>`;
}
