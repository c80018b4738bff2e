// Lines over time, drawn by uPlot in the colours of the theme.
import { html, useEffect, useRef } from "../lib/html.js";
import { clock, language, moment, t } from "../lib/i18n.js";

const MINUTE = 60;
const HALF_A_LABEL = 30;
let loading = null;

function load() {
  loading ??= new Promise((resolve) => {
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = `${document.documentElement.dataset.assets}/vendor/uplot.css`;
    sheet.onload = sheet.onerror = () => resolve(import("uplot").then((module) => module.default));
    document.head.append(sheet);
  });
  return loading;
}

// times: unix seconds; lines: [{label, color: name of a theme colour, values, text(value), fill?}]
export function Chart({ label, times, lines, height = 180 }) {
  const place = useRef(null);
  const held = useRef({});
  held.current.data = [times, ...lines.map((one) => one.values)];
  useEffect(() => {
    let gone = false;
    const draw = async () => {
      const Plot = await load();
      if (gone || !place.current) return;
      held.current.plot?.destroy();
      held.current.plot = new Plot(options(place.current, lines, height), held.current.data, place.current);
    };
    const resized = new ResizeObserver(() => place.current && held.current.plot?.setSize({ width: place.current.clientWidth, height }));
    resized.observe(place.current);
    addEventListener("themechange", draw);
    draw();
    return () => {
      gone = true;
      resized.disconnect();
      removeEventListener("themechange", draw);
      held.current.plot?.destroy();
      held.current.plot = null;
    };
  }, [language.value, lines.length]);
  useEffect(() => { held.current.plot?.setData(held.current.data); }, [times]);
  return html`<div class="chart" role="img" aria-label=${label} ref=${place}></div>`;
}

function options(place, lines, height) {
  const style = getComputedStyle(document.documentElement);
  const quiet = style.getPropertyValue("--quiet").trim();
  const border = style.getPropertyValue("--chart-grid").trim();
  const axis = { stroke: quiet, grid: { stroke: border, width: 1 }, ticks: { show: false }, font: "12px sans-serif" };
  const colors = lines.map((one) => style.getPropertyValue(`--chart-${one.color}`).trim());
  return {
    width: place.clientWidth, height, cursor: { points: { size: 6 }, drag: { x: false, y: false } }, legend: { live: true },
    padding: [8, HALF_A_LABEL, 0, 0],
    axes: [
      { ...axis, values: (_, at, __, ___, step) => at.map((one) => (step < MINUTE ? clock(one) : moment(one))), space: 90 },
      { ...axis, size: 62, space: 32, values: (_, found) => found.map((one) => (one ? lines[0].text(one) : "0")) },
    ],
    scales: { y: { range: (_, low, high) => [0, Math.max(high * 1.1, 1)] } },
    series: [
      { label: t("time"), value: (_, at) => (at ? clock(at) : "–") },
      ...lines.map((one, at) => ({ label: one.label, stroke: colors[at], width: 1.75, points: { show: false },
        fill: one.fill ? `color-mix(in srgb, ${colors[at]} 12%, transparent)` : undefined, value: (_, found) => (found == null ? "–" : one.text(found)) })),
    ],
  };
}
