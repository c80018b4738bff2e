// The pages: where they are, who may see them, how they are loaded.
import { may } from "./lib/api.js";
import { t } from "./lib/i18n.js";

export const PLACES = [
  { page: "dashboard", icon: "layout-dashboard", name: () => t("dashboard"), load: () => import("./pages/dashboard.js") },
  { page: "bots", icon: "robot", name: () => t("bots"), load: () => import("./pages/bots.js") },
  { page: "workers", icon: "server", name: () => t("workers"), load: () => import("./pages/workers.js") },
  { page: "routing", icon: "route", name: () => t("routing"), load: () => import("./pages/routing.js") },
  { page: "queues", icon: "stack-2", name: () => t("queues"), load: () => import("./pages/queues.js") },
  { page: "config", icon: "settings", role: "admin", name: () => t("config"), load: () => import("./pages/config.js") },
  { page: "logs", icon: "file-text", role: "operator", name: () => t("logs"), load: () => import("./pages/logs.js") },
  { page: "audit", icon: "history", role: "admin", name: () => t("audit"), load: () => import("./pages/audit.js") },
  { page: "account", icon: "user", name: () => t("account"), load: () => import("./pages/account.js"), hidden: true },
];

export const allowed = () => PLACES.filter((one) => !one.role || may(one.role));
