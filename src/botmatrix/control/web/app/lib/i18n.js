// The reader's language: words, numbers, moments.
import { signal } from "@preact/signals";
import { keep, kept } from "./keep.js";
import { forget, learn, translated } from "./sentences.js";

export { translated };

export const LANGUAGES = { en: "English", zh: "简体中文" };
const TAGS = { en: "en", zh: "zh-CN" };
const SERVERS = "en";
const words = signal({});
export const language = signal("en");

export async function speak(wanted) {
  const chosen = wanted in LANGUAGES ? wanted : "en";
  const { assets } = document.documentElement.dataset;
  const read = async (name) => (await fetch(`${assets}/lang/${name}.json`)).json();
  const [own, ofServer] = await Promise.all([read(chosen), chosen === SERVERS ? null : read(`server.${chosen}`)]);
  words.value = own;
  if (ofServer) learn(ofServer);
  else forget();
  language.value = chosen;
  document.documentElement.lang = TAGS[chosen];
}

export const speakAsBefore = () => speak(kept("language", document.documentElement.lang.slice(0, 2)));

export function choose(wanted) {
  keep("language", wanted);
  return speak(wanted);
}

export function t(key, values = {}) {
  const text = words.value[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// A word of the interface, as online or blocked_rule: ours if we have one, else what is given, or what the server means by it.
export const word = (kind, value, otherwise) => words.value[`${kind}.${value}`] ?? otherwise ?? unknown(String(value));

function unknown(value) {
  const known = translated(value);
  return known === value ? value.replaceAll("_", " ") : known;
}

const number = (value, options) => new Intl.NumberFormat(TAGS[language.value], options).format(value);
export const whole = (value) => number(value || 0, { maximumFractionDigits: 0 });
export const rate = (value) => number(value || 0, { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 });
export const short = (value) => number(value || 0, { notation: "compact", maximumFractionDigits: 1 });

export function millis(value) {
  if (!value) return "–";
  return value < 1000 ? `${number(value, { maximumFractionDigits: value < 10 ? 1 : 0 })} ms` : seconds(value / 1000);
}

export function seconds(value) {
  if (value < 60) return `${number(value, { maximumFractionDigits: value < 10 ? 1 : 0 })} s`;
  if (value < 3600) return t("n_min", { n: whole(Math.floor(value / 60)) });
  if (value < 172800) return t("n_h", { n: number(value / 3600, { maximumFractionDigits: 1 }) });
  return t("n_d", { n: whole(value / 86400) });
}

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024;
  return `${number(value, { maximumFractionDigits: value < 10 && unit ? 1 : 0 })} ${units[unit]}`;
}

// Of a week that begins on Sunday (0), of a year that begins with January (0).
export const weekday = (at) => style({ weekday: "long", timeZone: "UTC" }).format(new Date(Date.UTC(2023, 0, 1 + at)));
export const monthName = (at) => style({ month: "long", timeZone: "UTC" }).format(new Date(Date.UTC(2023, at, 1)));

// Unix seconds, or what a Date reads.
const date = (at) => new Date(typeof at === "number" ? at * 1000 : at);
const style = (options) => new Intl.DateTimeFormat(TAGS[language.value], options);
export const exact = (at) => style({ dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" }).format(date(at));
export const clock = (at) => style({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).format(date(at));

export function moment(at) {
  if (!at) return "–";
  const then = date(at);
  const now = new Date();
  const day = now.toDateString() === then.toDateString() ? {} : { month: "short", day: "numeric", year: now.getFullYear() === then.getFullYear() ? undefined : "numeric" };
  return style({ ...day, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(then);
}
