// Light or dark, before the first paint. "system" follows the machine.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    let chosen = "system";
    try {
      chosen = localStorage.getItem("botmatrix.theme") || "system";
    } catch { /* a browser that keeps nothing: the system's choice */ }
    const theme = chosen === "system" ? (dark.matches ? "dark" : "light") : chosen;
    document.documentElement.dataset.bsTheme = theme;
    dispatchEvent(new Event("themechange"));
  };
  dark.addEventListener("change", apply);
  addEventListener("themechosen", apply);
  apply();
})();
