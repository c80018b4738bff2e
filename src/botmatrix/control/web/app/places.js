// The pages: where they are, who may see them, how they are loaded.
import { may } from "./lib/api.js";
import { t } from "./lib/i18n.js";

export const PLACES = [
  { page: "dashboard", icon: "layout-dashboard", name: () => t("dashboard"), load: () => import("./pages/dashboard.js") },
  { page: "topology", icon: "topology-star-3", name: () => t("topology"), load: () => import("./pages/topology.js") },
  { page: "bots", icon: "robot", name: () => t("bots"), load: () => import("./pages/bots.js") },
  { page: "workers", icon: "server", name: () => t("workers"), load: () => import("./pages/workers.js") },
  { page: "routing", icon: "route", name: () => t("routing"), load: () => import("./pages/routing.js") },
  { page: "messages", icon: "messages", role: "operator", name: () => t("messages"), load: () => import("./pages/messages.js") },
  { page: "trace", icon: "route", role: "operator", under: "messages", name: () => t("trace"), load: () => import("./pages/trace.js"), hidden: true },
  { page: "chat", icon: "message-chatbot", role: "operator", name: () => t("chat"), load: () => import("./pages/chat.js") },
  { page: "plugins", icon: "puzzle", name: () => t("plugins"), load: () => import("./pages/plugins.js") },
  { page: "skills", icon: "bolt", name: () => t("skills"), load: () => import("./pages/skills.js") },
  { page: "tasks", icon: "calendar-event", name: () => t("tasks"), load: () => import("./pages/tasks.js") },
  { page: "queues", icon: "stack-2", name: () => t("queues"), load: () => import("./pages/queues.js") },
  { page: "config", icon: "settings", role: "admin", name: () => t("config"), load: () => import("./pages/config.js") },
  { page: "users", icon: "users", role: "admin", name: () => t("users"), load: () => import("./pages/users.js") },
  { page: "logs", icon: "file-text", role: "operator", name: () => t("logs"), load: () => import("./pages/logs.js") },
  { page: "audit", icon: "history", role: "admin", name: () => t("audit"), load: () => import("./pages/audit.js") },
  { page: "setup", icon: "rocket", role: "admin", name: () => t("setup"), load: () => import("./pages/setup.js") },
  { page: "account", icon: "user", name: () => t("account"), load: () => import("./pages/account.js"), hidden: true },
];

export const allowed = () => PLACES.filter((one) => !one.role || may(one.role));
