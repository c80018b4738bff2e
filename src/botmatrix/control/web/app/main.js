// Starts the console: the reader's language, who is logged in, then the page that the address names.
import { ask, expired, me } from "./lib/api.js";
import { html, render } from "./lib/html.js";
import { speakAsBefore, t } from "./lib/i18n.js";
import { Dialogs } from "./ui/dialog.js";
import { Toasts } from "./ui/toast.js";
import { Expired, Login } from "./login.js";
import { Shell } from "./shell.js";

function Console() {
  if (!me.value) document.title = `${t("login")} · BotMatrix`;
  return html`${me.value ? html`<${Shell}/>` : html`<${Login}/>`}<${Dialogs}/>${me.value && expired.value && html`<${Expired}/>`}<${Toasts}/>`;
}

// The page knows whether the browser has a login; whether that still holds, the server says.
const { known } = document.documentElement.dataset;
const [, self] = await Promise.allSettled([speakAsBefore(), known ? ask("api/me") : null]);
if (self.status === "fulfilled") me.value = self.value;
render(html`<${Console}/>`, document.getElementById("app"));
