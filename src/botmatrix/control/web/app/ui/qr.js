// A QR code, drawn here: what it says goes nowhere.
import { html, useEffect, useState } from "../lib/html.js";

const QUIET = 4;

export function QrCode({ text, label }) {
  const [code, setCode] = useState(null);
  useEffect(() => {
    let gone = false;
    import("uqr").then(({ encode }) => { if (!gone) setCode(encode(text, { border: QUIET })); });
    return () => { gone = true; };
  }, [text]);
  if (!code) return html`<div class="qr" aria-hidden="true"></div>`;
  const squares = code.data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ""))).join("");
  return html`<svg class="qr" role="img" aria-label=${label} viewBox=${`0 0 ${code.size} ${code.size}`} shape-rendering="crispEdges">
    <rect width=${code.size} height=${code.size} fill="#fff"/><path d=${squares} fill="#000"/></svg>`;
}
