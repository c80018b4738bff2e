// The road of one event in the reader's words, from the reports of which it is made (docs/trace.md).
import { t, translated, word } from "../lib/i18n.js";

const PARKING = "default";
const parked = (lane) => lane === PARKING || lane.includes(":");

// [{t: ms of unix time, where, what, took: ms or -1, look}], in their order.
export function stations(parts) {
  const heard = parts.filter((one) => one.part === "heard");
  const found = heard.slice(0, 1).map((one) => ({ t: one.t, where: one.nexus, what: t("road_received", one), took: -1 }));
  const rest = parts.flatMap((one) => ({ heard: decided, repeated, ran, acted })[one.part]?.(one) || []);
  return [...found, ...rest].map((one, at) => ({ ...one, at })).sort((one, other) => one.t - other.t || one.at - other.at);
}

const blocked = (one) => `${word("reason", one.reason)}${one.detail ? ` (${one.detail})` : ""}`;

function decided(one) {
  const by = one.rule ? ` ${t("road_by_rule", one)}` : "";
  if (one.reason) return [{ t: one.at, where: one.nexus, what: t("road_blocked", { why: blocked(one) }), took: -1, look: "bad" }];
  return [{ t: one.at, where: one.nexus, what: (parked(one.lane || "") ? t("road_parked") : t("road_lane", one)) + by, took: one.at - one.t }];
}

const repeated = (one) => [{ t: one.at, where: "", what: t("road_repeated"), took: -1, look: "warn" }];

function ran(one) {
  const steps = (one.steps || []).map(([handler, took, ended]) => ({ t: one.started, where: one.worker, what: t("road_step", { handler, ended: word("state", ended) }), took }));
  const end = one.reason ? `${word("state", one.outcome)}: ${translated(one.reason)}` : word("state", one.outcome);
  return [{ t: one.started, where: one.worker, what: t("road_taken"), took: one.started - one.t }, ...steps,
    { t: one.ended, where: one.worker, what: t("road_handled", { end }), took: one.ended - one.started, look: one.outcome === "done" ? "" : "bad" }];
}

function acted(one) {
  const done = one.state === "DONE";
  const end = done ? word("state", "done") : `${word("state", one.state.toLowerCase())}: ${one.words || ""} (${one.code || 0})`;
  const what = one.text ? t("road_said", { ...one, end }) : t("road_did", { ...one, end });
  return [{ t: one.ended, where: one.bot, what, took: one.ended - (one.sent || one.queued), look: done ? "good" : "bad" }];
}

// Why nobody answered; empty when somebody did.
export function why(parts) {
  const of = (kind) => parts.filter((one) => one.part === kind);
  if (of("repeated").length) return t("why_repeated");
  const stopped = of("heard").find((one) => one.reason);
  if (stopped) return t("why_blocked", { why: blocked(stopped) });
  if (of("acted").length) return undelivered(of("acted"));
  const last = of("ran").sort((one, other) => one.started - other.started).at(-1);
  return last ? unanswered(last) : waiting(of("heard").at(-1));
}

function undelivered(all) {
  const failed = all.filter((one) => one.state !== "DONE");
  if (failed.length < all.length) return "";
  const last = failed.at(-1);
  if (last.state === "EXPIRED") return t("why_expired");
  if (last.state === "UNKNOWN") return t("why_unknown", { words: last.words || "–" });
  return t("why_refused", { words: last.words || "–", code: last.code || 0 });
}

function unanswered(one) {
  if (one.outcome === "dead") return t("why_dead", { reason: translated(one.reason) });
  if (one.outcome === "retry") return t("why_retry", { reason: translated(one.reason) });
  if (one.actions) return "";
  if (one.steps?.length) return t("why_silent", { handlers: one.steps.map(([handler]) => handler).join(", ") });
  return one.quiet && one.quiet !== "no_match" ? t("why_quiet", { why: word("quiet", one.quiet) }) : t("why_nobody", one);
}

function waiting(one) {
  if (!one?.lane) return "";
  if (one.lane === PARKING) return t("why_no_worker");
  return parked(one.lane) ? t("why_target_away", one) : t("why_on_lane", one);
}
