// The order of wildcard rules is their priority: moving one changes it, and that of its neighbour if need be.
import { ask, query } from "../../lib/api.js";

const PATH = "api/admin/routing";

export const said = ({ key, worker_id, priority, fallback, deliver, disabled }) => ({ key, worker_id, priority, fallback, deliver, disabled });
export const isWildcard = (rule) => rule.key.includes("*");

// `step`: -1 up, 1 down. Answers whether there was anything to move past.
export async function move(rule, step) {
  const { rules } = await ask(`${PATH}${query({ size: 500, sort: "-priority" })}`);
  const ranked = rules.filter((one) => !one.implicit && isWildcard(one));
  const neighbour = ranked[ranked.findIndex((one) => one.key === rule.key) + step];
  if (!neighbour) return false;
  if (neighbour.priority === rule.priority) await put(rule, rule.priority - step);
  else {
    await put(rule, neighbour.priority);
    await put(neighbour, rule.priority);
  }
  return true;
}

const put = (rule, priority) => ask(PATH, { body: { ...said(rule), priority } });
