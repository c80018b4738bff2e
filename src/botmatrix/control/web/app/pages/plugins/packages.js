// Packages: put in by a file or a URL; versions that are kept, to be run or dropped.
import { answered, ask, may } from "../../lib/api.js";
import { html, useState } from "../../lib/html.js";
import { bytes, exact, moment, t } from "../../lib/i18n.js";
import { go } from "../../lib/route.js";
import { Button, Card, Notice, State } from "../../ui/basics.js";
import { confirm, dialog } from "../../ui/dialog.js";
import { failed, toast } from "../../ui/toast.js";
import { Rows } from "../../ui/table.js";

const PATH = "api/plugins/packages";

export const bringPackage = (again) => dialog(t("install"), (close) => html`<${Bring} ...${{ close, again }}/>`);

function Bring({ close, again }) {
  const [file, setFile] = useState(null);
  const [url, setUrl] = useState("");
  const [activate, setActivate] = useState(true);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const send = async (event) => {
    event.preventDefault();
    setProblem("");
    setBusy(true);
    try {
      const { package: made } = file ? await upload(file, activate) : await ask(`${PATH}/fetch`, { body: { url: url.trim(), activate } });
      close();
      again();
      toast(t("installed", { id: made.id, version: made.version }));
      go("plugins", made.id);
    } catch (error) {
      setProblem(error.message);
    } finally {
      setBusy(false);
    }
  };
  return html`<form class="form" onSubmit=${send}>
    <div class="field"><label class="form-label" for="package-file">${t("package_file")}</label><input id="package-file" class="form-control" type="file" accept=".bmpk,.zip"
      onChange=${(event) => setFile(event.target.files[0] || null)}/><small class="form-hint">${t("package_hint")}</small></div>
    <div class="field"><label class="form-label" for="package-url">${t("package_url")}</label><input id="package-url" class="form-control" type="url" placeholder="https://example.com/weather-1.2.0.bmpk"
      value=${url} disabled=${Boolean(file)} maxlength="2000" onInput=${(event) => setUrl(event.target.value)}/></div>
    <label class="form-check form-switch"><input class="form-check-input" type="checkbox" checked=${activate} onChange=${(event) => setActivate(event.target.checked)}/>
      <span class="form-check-label">${t("run_at_once")}</span></label>
    <${Notice} look="warn">${t("package_trust")}<//>${problem && html`<${Notice} look="bad">${problem}<//>`}
    <div class="form-end"><${Button} onClick=${close}>${t("cancel")}<//><button class="btn btn-primary" disabled=${busy || (!file && !url.trim())}>${t("install")}</button></div></form>`;
}

async function upload(file, activate) {
  const asked = new URLSearchParams({ filename: file.name, activate });
  const response = await fetch(`${PATH}?${asked}`, { method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/zip" }, body: file });
  return answered(response);
}

export function Versions({ id, plugin, again }) {
  if (!plugin.versions?.length) return null;
  const place = (one) => `api/plugins/${encodeURIComponent(id)}/versions/${encodeURIComponent(one.version)}`;
  const run = async (one) => {
    try {
      await ask(`api/plugins/${encodeURIComponent(id)}/activate`, { body: { version: one.version } });
      toast(t("runs_version", { id, version: one.version }));
      again();
    } catch (error) {
      failed(error);
    }
  };
  const drop = (one) => confirm(t("delete"), t("drop_version_what", { id, version: one.version }), t("delete"), async () => {
    await ask(place(one), { method: "DELETE" });
    again();
  });
  return html`<${Card} title=${t("versions")} flush><${Rows} label=${t("versions")} rows=${plugin.versions} columns=${[
    { label: t("version"), cell: (one) => html`<span class="mono strong" title=${`sha256 ${one.sha256}`}>${one.version}</span>` },
    { label: t("state"), cell: (one) => html`<${State} value=${one.state ? `version_${one.state}` : "version_kept"} look=${one.state === "active" ? "good" : "quiet"}/>` },
    { label: t("size"), number: true, cell: (one) => bytes(one.size) },
    { label: t("added"), cell: (one) => html`<span title=${exact(one.added_at)}>${moment(one.added_at)} · ${one.added_by}</span>` },
    ...(may("admin") ? [{ look: "end", cell: (one) => one.state !== "active" && html`<${Button} look="btn-sm" icon="player-play" aria-label=${`${t("run_it")} ${one.version}`}
        onClick=${() => run(one)}>${t("run_it")}<//> <${Button} look="btn-sm btn-icon" icon="trash" aria-label=${`${t("delete")} ${one.version}`} onClick=${() => drop(one)}/>` }] : []),
  ]}/><//>`;
}
