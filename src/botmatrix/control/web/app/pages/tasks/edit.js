// Making and changing a task: first its kind, then one form.
import { ask, may } from "../../lib/api.js";
import { html } from "../../lib/html.js";
import { t, word } from "../../lib/i18n.js";
import { Quiet } from "../../ui/basics.js";
import { dialog } from "../../ui/dialog.js";
import { Form } from "../../ui/form.js";
import { Fires } from "./fires.js";

const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const ACTIONS = ["send_message", "mute_group", "unmute_group", "skill_call"];
const WHERE = ["bot_id", "group_id", "user_id"];

export const chooseType = (again) => dialog(t("add_task"), (close) => html`<ul class="picks">${["cron", "once", "delayed", "condition"].filter((one) => one !== "condition" || may("admin"))
  .map((type) => html`<li key=${type}><button type="button" class="pick" onClick=${() => {
    close();
    editTask(type, null, again);
  }}><strong>${word("task_type", type)}</strong><span class="text-secondary">${word("task_about", type)}</span></button></li>`)}</ul>`);

const text = (title, placeholder, more = {}) => ({ type: "string", title, placeholder, maxLength: 2000, ...more });

const TRIGGERS = {
  cron: () => ({ cron: text(t("cron"), "0 23 * * *", { maxLength: 200, says: (value, values) => html`<${Fires} cron=${value} zone=${values.time_zone}/>` }) }),
  once: () => ({ time: text(t("moment"), "2026-12-24T18:00", { description: t("moment_hint") }) }),
  delayed: () => ({ delay: { type: "number", title: t("delay"), minimum: 0, default: 60 } }),
  condition: () => ({
    event: text(t("event"), "message", { default: "message", description: t("event_hint"), suggestions: ["message", "message.group", "message.private", "notice.group_increase", "request"] }),
    keyword: { type: "array", title: t("keywords"), description: t("one_a_line"), rows: 2 }, regex: text(t("expression"), "^/daily"),
    when_bot: text(t("bot"), "qq:10001", { description: t("commas_hint") }), when_group: text(t("group"), "456", { description: t("commas_hint") }),
    when_user: text(t("user"), "2000", { description: t("commas_hint") }),
    cooldown: { type: "number", title: t("cooldown"), minimum: 0, default: 0 },
  }),
};

const needed = { cron: ["cron"], once: ["time"], delayed: ["delay"], condition: ["event"] };

function triggerOf(type, values) {
  if (type === "cron") return { cron: values.cron.trim() };
  if (type === "once") return { time: values.time.trim() };
  if (type === "delayed") return { delay: Number(values.delay) };
  const { event, keyword, regex, when_bot, when_group, when_user, cooldown } = values;
  const all = { event, keyword, regex, bot_id: several(when_bot), group_id: several(when_group), user_id: several(when_user), cooldown: cooldown || 0 };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== "" && value !== 0 && (value?.length ?? 1) > 0));
}

// One id, or several with commas between them.
function several(written) {
  const ids = written.split(/[,，]/).map((one) => one.trim()).filter(Boolean);
  return ids.length > 1 ? ids : ids.join("");
}

// A message that was written as segments stays so, unless it is changed to something that is no list of them.
function messageOf(written, segments) {
  if (!segments) return written;
  try {
    const read = JSON.parse(written);
    return Array.isArray(read) ? read : written;
  } catch {
    return written;
  }
}

function actionOf(values, segments) {
  const where = Object.fromEntries(WHERE.filter((name) => values[name]).map((name) => [name, values[name].trim()]));
  if (values.action_type === "skill_call") return { ...parsed(values.params), skill: values.skill };
  if (values.action_type === "send_message") return { ...where, message: messageOf(values.message, segments) };
  return values.action_type === "mute_group" ? { ...where, duration: values.duration || 1800 } : where;
}

function parsed(written) {
  try {
    return JSON.parse(written || "{}");
  } catch {
    throw new Error(t("not_json"));
  }
}

const is = (...wanted) => (values) => wanted.includes(values.action_type);
const onBot = is("send_message", "mute_group", "unmute_group");

const schemaOf = (type) => ({ required: ["name", ...needed[type]], properties: {
  name: text(t("name"), "", { maxLength: 64 }), ...TRIGGERS[type](),
  ...(type === "cron" || type === "once" ? { time_zone: text(t("time_zone"), HERE, { default: HERE, maxLength: 64 }) } : {}),
  action_type: { type: "string", title: t("action"), enum: ACTIONS, names: ACTIONS.map((one) => word("task_action", one)), default: "send_message" },
  bot_id: text(t("bot"), "qq:10001", { shown: onBot }),
  group_id: text(t("group"), "456", { shown: onBot, description: type === "condition" ? t("empty_where_it_was") : "" }),
  user_id: text(t("user"), "2000", { shown: onBot }),
  message: text(t("text"), "", { format: "textarea", maxLength: 10000, shown: is("send_message") }),
  duration: { type: "integer", title: t("mute_seconds"), minimum: 1, maximum: 2592000, default: 1800, shown: is("mute_group") },
  skill: text(t("skill"), "weather", { maxLength: 64, shown: is("skill_call") }),
  params: text(t("parameters"), "", { format: "textarea", default: "{}", shown: is("skill_call") }),
  max_retries: { type: "integer", title: t("max_retries"), minimum: 0, maximum: 10, default: 3 },
} });

const one = (value) => (Array.isArray(value) ? value.join(", ") : value ?? "");

function valuesOf(task) {
  const { trigger_config: config, action_params: { skill, ...params } } = task;
  const keyword = config.keyword === undefined ? [] : [config.keyword].flat();
  return { name: task.name, time_zone: task.time_zone, action_type: task.action_type, max_retries: task.max_retries, ...config, keyword, when_bot: one(config.bot_id),
    when_group: one(config.group_id), when_user: one(config.user_id), bot_id: params.bot_id ?? "", group_id: params.group_id ?? "", user_id: params.user_id ?? "",
    message: typeof params.message === "string" ? params.message : JSON.stringify(params.message ?? ""), duration: params.duration ?? 1800, skill: skill ?? "",
    params: JSON.stringify(task.action_type === "skill_call" ? params : {}, null, 2) };
}

export function editTask(type, task, again) {
  dialog(task ? `${t("edit")} ${task.name}` : word("task_type", type), (close) => {
    const segments = Array.isArray(task?.action_params.message);
    const save = async (values) => {
      const body = { name: values.name, trigger_config: triggerOf(type, values), action_type: values.action_type, action_params: actionOf(values, segments), max_retries: values.max_retries || 0,
        ...(values.time_zone ? { time_zone: values.time_zone } : {}), ...(task ? {} : { type }) };
      await ask(task ? `api/tasks/${task.id}` : "api/tasks", { body, method: task ? "PATCH" : "POST" });
      close();
      again();
    };
    return html`<${Form} schema=${schemaOf(type)} value=${task ? valuesOf(task) : {}} submit=${t("save")} onCancel=${close} onSubmit=${save}/>
      ${type === "condition" && html`<p class="hint-end"><${Quiet}>${t("facts_hint")}<//></p>`}`;
  });
}
