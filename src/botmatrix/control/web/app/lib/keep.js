// Small choices that this browser remembers. Without storage they last as long as the page.
const PREFIX = "botmatrix.";

export function kept(name, otherwise) {
  try {
    return localStorage.getItem(PREFIX + name) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch { /* not kept */ }
}
