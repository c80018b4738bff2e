// Language and theme of this browser.
import { chooseTheme, theme, themeNames } from "../../appearance.js";
import { html } from "../../lib/html.js";
import { choose, LANGUAGES, language, t } from "../../lib/i18n.js";
import { Card, Quiet } from "../../ui/basics.js";

export const Looks = () => html`<${Card} title=${t("theme")}><p><${Quiet}>${t("looks_what")}<//></p>
  <${Choice} label=${t("language")} name="chosen-language" value=${language.value} options=${Object.entries(LANGUAGES)} onChoose=${choose}/>
  <${Choice} label=${t("theme")} name="chosen-theme" value=${theme.value} options=${Object.entries(themeNames())} onChoose=${chooseTheme}/><//>`;

const Choice = ({ label, name, value, options, onChoose }) => html`<fieldset class="choice"><legend class="form-label">${label}</legend>
  ${options.map(([one, said]) => html`<label class="form-check form-check-inline" key=${one}><input class="form-check-input" type="radio" name=${name} value=${one}
    checked=${one === value} onChange=${() => onChoose(one)}/><span class="form-check-label">${said}</span></label>`)}</fieldset>`;
