// When a task is set off, in words of the reader's language.
import { exact, t, weekday, monthName, word } from "../../lib/i18n.js";

const NAMES = { dow: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], month: ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"] };
const whole = (text) => /^\d+$/.test(text);
const two = (text) => text.padStart(2, "0");

// The five fields in words; what has no short form is said field by field. Empty for what is no cron expression.
export function cronWords(expression) {
  const fields = String(expression || "").trim().toUpperCase().split(/\s+/);
  if (fields.length !== 5) return "";
  const [minute, hour, day, month, dow] = fields;
  const days = [dayWords(day), dowWords(dow)].filter(Boolean);
  const parts = [timeWords(minute, hour, days.length === 0), ...days, month === "*" ? "" : t("cron_in", { months: list(month, (one) => monthWord(one)) })];
  return parts.filter(Boolean).join(t("cron_comma"));
}

function timeWords(minute, hour, daily) {
  const every = (field) => /^\*\/(\d+)$/.exec(field)?.[1];
  if (minute === "*" && hour === "*") return t("cron_every_minute");
  if (every(minute) && hour === "*") return t("cron_every_minutes", { n: every(minute) });
  const hours = /^(\d+)-(\d+)$/.exec(hour);
  if (every(minute) && hours) return t("cron_minutes_between", { n: every(minute), from: two(hours[1]), to: two(hours[2]) });
  if (whole(minute) && hours) return t("cron_hours_between", { m: two(minute), from: two(hours[1]), to: two(hours[2]) });
  if (whole(minute) && hour === "*") return t("cron_hourly", { m: two(minute) });
  if (whole(minute) && every(hour)) return t("cron_every_hours", { n: every(hour), m: two(minute) });
  if (whole(minute) && hour.split(",").every(whole)) {
    const times = hour.split(",").map((one) => `${two(one)}:${two(minute)}`).join(", ");
    return daily ? t("cron_daily", { at: times }) : t("cron_at", { at: times });
  }
  return t("cron_fields", { minute, hour });
}

const dayWords = (day) => (day === "*" || day === "?" ? "" : t("cron_days", { days: day.replaceAll(",", ", ") }));
const dowWords = (dow) => (dow === "*" || dow === "?" ? "" : t("cron_on", { days: list(dow, dowWord) }));

// 1-5,7 as Monday – Friday, Sunday; what is no number or name stays as it is written.
const list = (field, name) => field.split(",").map((part) => part.split("-").map(name).join(" – ")).join(", ");
const dowWord = (one) => (NAMES.dow.includes(one) ? weekday(NAMES.dow.indexOf(one)) : whole(one) && Number(one) < 8 ? weekday(Number(one) % 7) : one);
const monthWord = (one) => (NAMES.month.includes(one) ? monthName(NAMES.month.indexOf(one)) : whole(one) && Number(one) > 0 && Number(one) < 13 ? monthName(Number(one) - 1) : one);

export function triggerWords({ type, trigger_config: config, time_zone: zone }) {
  if (type === "cron") return `${cronWords(config.cron)} (${zone})`;
  if (type === "once") return t("once_at", { at: isNaN(new Date(config.time)) ? config.time : exact(config.time) });
  if (type === "delayed") return t("once_after", { n: config.delay });
  const met = [config.keyword && joined(config.keyword), config.regex && `/${config.regex}/`, config.bot_id && joined(config.bot_id), config.group_id && joined(config.group_id),
    config.user_id && joined(config.user_id)].filter(Boolean).join(" · ");
  return `${t("when_event", { event: word("event", config.event) })}${met ? `: ${met}` : ""}`;
}

const joined = (value) => (Array.isArray(value) ? value.join(", ") : String(value));

export function actionWords({ action_type: action, action_params: params }) {
  const whom = params.group_id || params.user_id || "";
  if (action === "skill_call") return `${word("task_action", action)} ${params.skill || ""}`;
  const text = typeof params.message === "string" ? `: ${params.message}` : "";
  return `${word("task_action", action)} ${whom}${text}`.trim();
}
