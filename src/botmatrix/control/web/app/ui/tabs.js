// Tabs are places: each has its own address.
import { html } from "../lib/html.js";
import { whole } from "../lib/i18n.js";
import { link } from "../lib/route.js";

// tabs: [{to, name, count?}]; `chosen` is the `to` of one of them.
export const Tabs = ({ label, page, tabs, chosen }) => html`<nav class="nav nav-tabs tabs" aria-label=${label}>${tabs.map((one) => html`<a
  class=${`nav-link ${one.to === chosen ? "active" : ""}`} aria-current=${one.to === chosen ? "page" : undefined} href=${link(page, one.to)}>
  ${one.name}${one.count > 0 && html` <span class="badge bg-red-lt">${whole(one.count)}</span>`}</a>`)}</nav>`;
