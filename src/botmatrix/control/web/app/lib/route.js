// Where we are: #/page/thing?what=the&list=shows. Every list can be bookmarked, sent and gone back to.
import { signal } from "@preact/signals";

export const route = signal(read());
addEventListener("hashchange", () => { route.value = read(); });

function read() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [page, ...rest] = path.split("/");
  return { page: page || "dashboard", thing: decoded(rest.join("/")), params: Object.fromEntries(new URLSearchParams(search)) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

export function link(page, thing = "", params = {}) {
  const set = Object.entries(params).filter(([, value]) => value !== "" && value !== undefined && value !== null);
  const search = set.length ? `?${new URLSearchParams(set)}` : "";
  return `#/${page}${thing ? `/${encodeURIComponent(thing)}` : ""}${search}`;
}

export function go(page, thing, params) {
  location.hash = link(page, thing, params);
}

// Changes what a list shows; typing does not fill the history.
export function adjust(changed) {
  const { page, thing, params } = route.value;
  history.replaceState(null, "", link(page, thing, { ...params, ...changed }));
  route.value = read();
}
