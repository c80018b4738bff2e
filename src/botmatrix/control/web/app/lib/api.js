// Asking the REST interface. A login that ended is noticed here, once for all pages.
import { signal } from "@preact/signals";
import { t, translated } from "./i18n.js";

export const me = signal(null);
export const expired = signal(false);
export const reachable = signal(true);
const LONGEST = 20_000;
// Where a value stands in what was sent: forms are filled by people, who know no body.
const BODY = /(^|; )(?:body|query)\.(?:[a-z_]+\.)*(?=\S+: )/g;
const ROLES = ["viewer", "operator", "admin", "owner"];

export const may = (role) => ROLES.indexOf(me.value?.may) >= ROLES.indexOf(role);

export class Refused extends Error {
  constructor(status, answer) {
    super(inWords(answer.message));
    this.status = status;
    this.code = answer.error || "";
  }
}

// Where nobody knows the sentence, at least that it was a refusal.
function inWords(message) {
  if (!message) return t("failed");
  const plain = message.replaceAll(BODY, "$1");
  const known = translated(plain);
  return known === plain ? t("server_said", { message: plain }) : known;
}

export function query(values) {
  const set = Object.entries(values).filter(([, value]) => value !== "" && value !== undefined && value !== null);
  return set.length ? `?${new URLSearchParams(set)}` : "";
}

// Requests that change something and are under way: one of them may be bringing a new cookie.
const changing = new Set();

// With a body it is a POST, unless said otherwise. Throws Refused.
export async function ask(path, options = {}) {
  let response = await sent(path, options);
  if (response.status === 401 && me.value && path !== "api/login") {
    // A new password ends what the cookie of a moment ago meant. A refused request has done nothing, so ask again.
    await Promise.allSettled(changing);
    response = await sent(path, options);
    if (response.status === 401) expired.value = true;
  }
  return answered(response);
}

// What a response says. Throws Refused, also when it ends in the middle, as when its server goes away.
export async function answered(response) {
  const answer = await response.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    if (response.ok) throw unreached();
    return {};
  });
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}

const unreached = () => new Refused(0, { error: "unreachable", message: t("unreachable") });

async function sent(path, { body, method, signal: aborted }) {
  const content = body === undefined ? {} : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const request = reached(path, {
    method: method || (body === undefined ? "GET" : "POST"), credentials: "same-origin", signal: aborted, ...content,
  });
  if (body === undefined) return request;
  changing.add(request);
  try {
    return await request;
  } finally {
    changing.delete(request);
  }
}

// A question that is never answered, as behind a line that is dead, is given up; what changes something is waited for.
function patient({ method, signal: aborted }) {
  if (method !== "GET") return aborted;
  const late = AbortSignal.timeout(LONGEST);
  return aborted ? AbortSignal.any([aborted, late]) : late;
}

async function reached(path, options) {
  try {
    const response = await fetch(path, { ...options, signal: patient(options) });
    reachable.value = true;
    return response;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    reachable.value = false;
    throw unreached();
  }
}

export async function enter(credentials) {
  me.value = await ask("api/login", { body: credentials });
  expired.value = false;
}

export async function leave() {
  await ask("api/logout", { body: {} }).catch(() => {});
  me.value = null;
  expired.value = false;
}
