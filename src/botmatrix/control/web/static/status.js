// The status page. Data reaches the page as text nodes only, never as markup.

const words = JSON.parse(document.body.dataset.words);
const $ = (id) => document.getElementById(id);
const EVERY = 3000;
let me = null;
let timer = 0;

class Refused extends Error {
  constructor(status, body) {
    super(body.message || words.failed);
    this.status = status;
  }
}

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  const response = await fetch(path, { credentials: "same-origin", ...options });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text ?? "";
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function table(columns, rows, empty) {
  if (!rows.length) return element("p", empty, { class: "quiet" });
  const made = element("table");
  const head = element("tr");
  for (const column of columns) {
    head.append(element("th", column.label, { scope: "col", class: column.number ? "number" : "" }));
  }
  const body = element("tbody");
  for (const row of rows) {
    const line = element("tr");
    for (const column of columns) line.append(cell(column, row));
    body.append(line);
  }
  const top = element("thead");
  top.append(head);
  made.append(top, body);
  return made;
}

function cell(column, row) {
  const made = element("td", "", { "data-label": column.label, class: column.number ? "number" : "" });
  made.append(element("span", column.text(row), { class: column.look ? column.look(row) : "" }));
  return made;
}

const LOOKS = { online: "good", degraded: "warn", connecting: "warn", offline: "bad" };
const whole = (value) => Math.round(value).toLocaleString(document.documentElement.lang);
const moment = (seconds) => seconds ? new Date(seconds * 1000).toLocaleString(document.documentElement.lang) : "–";
const millis = (value) => value ? `${whole(value)} ms` : "–";

const BOTS = [
  { label: words.bot, text: (b) => b.nickname ? `${b.nickname} (${b.bot})` : b.bot },
  { label: words.state, text: (b) => words[b.state] || b.state, look: (b) => LOOKS[b.state] || "" },
  { label: words.since, text: (b) => moment(b.since) },
  { label: words.received, number: true, text: (b) => whole(b.received) },
  { label: words.sent, number: true, text: (b) => whole(b.sent) },
];
const WORKERS = [
  { label: words.worker, text: (w) => w.id },
  { label: words.state, text: (w) => w.draining ? words.draining : words.alive, look: (w) => w.draining ? "warn" : "good" },
  { label: words.pool, text: (w) => w.pool },
  { label: words.in_flight, number: true, text: (w) => whole(w.in_flight) },
  { label: words.handled, number: true, text: (w) => whole(w.handled) },
  { label: words.average, number: true, text: (w) => millis(w.handling_ms) },
];
const QUEUES = [
  { label: words.queue, text: (q) => q.lane === "default" ? `default (${words.parking})` : q.lane },
  { label: words.state, text: (q) => state(q), look: (q) => state(q) === words.waiting ? "warn" : "good" },
  { label: words.backlog, number: true, text: (q) => whole(q.backlog) },
  { label: words.pending, number: true, text: (q) => whole(q.pending) },
  { label: words.oldest, number: true, text: (q) => q.oldest_seconds ? `${whole(q.oldest_seconds)} s` : "–" },
];
const state = (queue) => queue.alive || !queue.backlog ? words.fine : words.waiting;

function notice(text, look) {
  $("ready").hidden = !text;
  $("ready").textContent = text;
  $("ready").className = `notice ${look}`;
}

async function showReadiness() {
  const answer = await fetch("readyz").then((response) => response.json());
  if (!answer.ready) notice(`${words.not_ready} ${answer.message}`, "bad");
  else notice(answer.warnings.join(" "), "warn");
}

async function showBoard() {
  const [bots, workers, queues] = await Promise.all([
    ask("api/bots?size=100"), ask("api/workers?size=100"), ask("api/queues?size=100"),
  ]);
  $("bots").replaceChildren(table(BOTS, bots.bots, words.no_bots));
  $("workers").replaceChildren(table(WORKERS, workers.workers, words.no_workers));
  $("queues").replaceChildren(table(QUEUES, queues.queues, words.no_queues));
  $("bots_count").textContent = bots.total;
  $("workers_count").textContent = workers.total;
  $("queues_count").textContent = queues.total;
  $("dead_count").textContent = queues.dead ? `${words.dead}: ${whole(queues.dead)}` : "";
  await showFirstSteps(bots.total === 0);
}

async function showFirstSteps(wanted) {
  const allowed = me.role === "owner" || me.role === "admin";
  if (wanted && allowed && $("first").hidden) {
    const info = await ask("api/connect-info");
    $("connect_url").textContent = info.url;
    $("connect_token").textContent = info.token || words.no_token;
  }
  $("first").hidden = !(wanted && allowed);
}

async function refresh() {
  clearTimeout(timer);
  try {
    await showReadiness();
    if (me) await showBoard();
  } catch (error) {
    if (error.status === 401) leave();
    else if (!(error instanceof Refused)) notice(words.unreachable, "bad");
  }
  timer = setTimeout(refresh, document.hidden ? EVERY * 5 : EVERY);
}

function enter({ user, generated_password: generated }) {
  me = user;
  $("urge").hidden = !generated;
  $("username").textContent = user.username;
  $("password").elements.username.value = user.username;
  $("who").hidden = $("board").hidden = false;
  $("login").hidden = true;
  refresh();
}

function leave() {
  me = null;
  $("who").hidden = $("board").hidden = $("first").hidden = true;
  $("connect_token").textContent = "";
  $("login").hidden = false;
  $("login").elements.username.focus();
}

async function submit(form, path, said, after) {
  const button = form.querySelector("button");
  button.disabled = true;
  said.textContent = "";
  try {
    const answer = await ask(path, Object.fromEntries(new FormData(form)));
    form.reset();
    after(answer);
  } catch (error) {
    said.className = "bad";
    said.textContent = messageOf(error);
  } finally {
    button.disabled = false;
  }
}

function messageOf(error) {
  if (error.status === 401) return words.bad_credentials;
  if (error.status === 429) return words.too_many;
  return error instanceof Refused ? error.message : words.unreachable;
}

for (const place of document.querySelectorAll("[data-t]")) place.textContent = words[place.dataset.t];
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText($(button.dataset.copy).textContent);
      button.textContent = words.copied;
    } catch {
      getSelection().selectAllChildren($(button.dataset.copy));
    }
  });
}
$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  submit($("login"), "api/login", $("login_error"), enter);
});
$("password").addEventListener("submit", (event) => {
  event.preventDefault();
  submit($("password"), "api/user/password", $("password_said"), () => {
    $("urge").hidden = true;
    $("password_said").className = "good";
    $("password_said").textContent = words.password_changed;
  });
});
$("logout").addEventListener("click", async () => {
  await ask("api/logout", {}).catch(() => {});
  leave();
});

ask("api/me").then(enter, () => { leave(); refresh(); });
