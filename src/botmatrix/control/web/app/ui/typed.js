// A field whose text narrows what is shown: what is being typed stays as it is typed, and is told when the typing rests.
import { html, useEffect, useRef, useState } from "../lib/html.js";

const RESTS_AFTER = 250;

// `value` is what was told last, or what the address says now; a word that an input method still composes is not told yet.
export function Typed({ value, onTyped, ...rest }) {
  const [typed, setTyped] = useState(value);
  const told = useRef(value);
  const waiting = useRef(0);
  useEffect(() => {
    if (value === told.current) return;
    told.current = value;
    setTyped(value);
  }, [value]);
  useEffect(() => () => clearTimeout(waiting.current), []);
  const later = (text) => {
    clearTimeout(waiting.current);
    waiting.current = setTimeout(() => {
      told.current = text;
      onTyped(text);
    }, RESTS_AFTER);
  };
  const input = (event) => {
    setTyped(event.target.value);
    if (!event.isComposing) later(event.target.value);
  };
  return html`<input ...${rest} value=${typed} onInput=${input} onCompositionEnd=${(event) => later(event.target.value)}/>`;
}
