// Readiness of the whole matrix, in its own words; null while nobody answers.
import { useEffect, useState } from "./html.js";

const LONGEST = 8000;

export const readiness = async () => (await fetch("readyz", { signal: AbortSignal.timeout(LONGEST) })).json();

export function useReadiness(every) {
  const [state, setState] = useState(null);
  useEffect(() => {
    const look = () => readiness().then(setState, () => {});
    look();
    const timer = setInterval(look, every * 1000);
    return () => clearInterval(timer);
  }, []);
  return state;
}
