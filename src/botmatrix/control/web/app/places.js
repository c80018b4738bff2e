// The pages: where they are, who may see them, how they are loaded.
import { may } from "./lib/api.js";
import { t } from "./lib/i18n.js";

export const PLACES = [
  { page: "dashboard", icon: "layout-dashboard", name: () => t("dashboard"), load: () => import("./pages/dashboard.js") },
  { page: "bots", icon: "robot", name: () => t("bots"), load: () => import("./pages/bots.js") },
  { page: "workers", icon: "server", name: () => t("workers"), load: () => import("./pages/workers.js") },
  { page: "queues", icon: "stack-2", name: () => t("queues"), load: () => import("./pages/queues.js") },
  { page: "account", icon: "user", name: () => t("account"), load: () => import("./pages/account.js"), hidden: true },
];

export const allowed = () => PLACES.filter((one) => !one.role || may(one.role));
