// What the server says in English, in the reader's language, as far as `lang/server.LANGUAGE.json` knows the sentence:
// {"a sentence with {slots}": "its translation with the same {slots}"}. What stands in a slot is translated as well.
import { signal } from "@preact/signals";

const NOTHING = { whole: new Map(), open: [] };
const MOST_STEPS = 4;
const LONGEST = 2000;
const sentences = signal(NOTHING);

export function learn(known) {
  const pairs = Object.entries(known);
  const open = pairs.filter(([sentence]) => sentence.includes("{")).map(([sentence, words]) => ({ pattern: patternOf(sentence), words, weight: sentence.replace(/\{\w+\}/g, "").length }));
  sentences.value = { whole: new Map(pairs), open: open.sort((one, other) => other.weight - one.weight) };
}

export const forget = () => { sentences.value = NOTHING; };

const patternOf = (sentence) => new RegExp(`^${sentence.split(/\{(\w+)\}/).map((part, at) => (at % 2 ? `(?<${part}>.*?)` : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))).join("")}$`, "s");

// As it is where nothing is known of it. `FIELD: sentence` and `sentence; sentence` are known by their sentences.
export function translated(text, step = 0) {
  const { whole, open } = sentences.value;
  if (!whole.size || typeof text !== "string" || text.length > LONGEST || step > MOST_STEPS) return text;
  const exact = whole.get(text) || allOf(text, step);
  if (exact) return exact;
  for (const { pattern, words } of open) {
    const found = pattern.exec(text);
    if (found) return words.replace(/\{(\w+)\}/g, (_, name) => translated(found.groups[name], step + 1));
  }
  return inParts(text, step);
}

// Several sentences, if each of them is known: a slot of one must not reach into the next.
function allOf(text, step) {
  const several = text.split("; ");
  const all = several.length > 1 ? several.map((one) => translated(one, step + 1)) : [];
  return all.length && all.every((one, at) => one !== several[at]) ? all.join("；") : "";
}

function inParts(text, step) {
  const [, field, rest] = /^(\S+): (.+)$/s.exec(text) || [];
  const known = field && translated(rest, step + 1);
  if (field && known !== rest) return `${field}：${known}`;
  const several = text.split("; ");
  const all = several.length > 1 ? several.map((one) => translated(one, step + 1)) : several;
  return all.some((one, at) => one !== several[at]) ? all.join("；") : text;
}
