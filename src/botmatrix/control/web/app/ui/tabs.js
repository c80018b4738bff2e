// Parts of one page, each with an address of its own.
import { html } from "../lib/html.js";
import { link } from "../lib/route.js";

// tabs: [{to, name}]; `to` is the thing of the address, "" for the first one.
export const Tabs = ({ label, page, chosen, tabs }) => html`<nav class="nav nav-tabs tabs" aria-label=${label}>${tabs.map(({ to, name }) => html`<a
  class=${`nav-link ${to === chosen ? "active" : ""}`} aria-current=${to === chosen ? "page" : undefined} href=${link(page, to)}>${name}</a>`)}</nav>`;
