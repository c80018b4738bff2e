// Any JSON Schema of an object as a form of ours: what our form has no field for is written as JSON.
import { t } from "../lib/i18n.js";

const KNOWN = ["string", "boolean", "integer", "number"];

// What Form draws. A field that is written as JSON has `json: true`.
export function formSchema(schema) {
  const fields = Object.entries(schema.properties || {}).map(([name, field]) => [name, asField(name, resolved(field, schema))]);
  return { properties: Object.fromEntries(fields), required: schema.required || [] };
}

// The values as Form holds them, and back again. Raises for what is no JSON; leaves out what is empty.
export const filled = (form, values) => Object.fromEntries(Object.entries(values).filter(([name]) => form.properties[name])
  .map(([name, value]) => [name, form.properties[name].json ? JSON.stringify(value, null, 2) : form.properties[name].enumOf ? String(value) : value]));

export function meant(form, values) {
  const found = {};
  for (const [name, field] of Object.entries(form.properties)) {
    const value = values[name];
    if (value === "" && !form.required.includes(name)) continue;
    if (field.json) found[name] = parsed(field, value);
    else found[name] = field.enumOf ? field.enumOf.find((one) => String(one) === value) : value;
  }
  return found;
}

function parsed(field, text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(t("field_not_json", { name: field.title }));
  }
}

// References within the schema, and "this or null", as pydantic and others write them.
function resolved(field, root, depth = 0) {
  if (depth > 10 || typeof field !== "object" || field === null) return {};
  if (typeof field.$ref === "string" && field.$ref.startsWith("#/")) {
    const found = field.$ref.slice(2).split("/").reduce((place, step) => place?.[step.replaceAll("~1", "/").replaceAll("~0", "~")], root);
    const { $ref: _, ...rest } = field;
    return resolved({ ...found, ...rest }, root, depth + 1);
  }
  const options = (field.anyOf || field.oneOf || []).filter((one) => one?.type !== "null");
  if (options.length === 1) {
    const { anyOf: _, oneOf: __, ...rest } = field;
    return resolved({ ...options[0], ...rest }, root, depth + 1);
  }
  return field;
}

function asField(name, field) {
  const { title = name, description, default: usual } = field;
  const common = { title, description, ...(usual === undefined || usual === null ? {} : { default: usual }) };
  if (field.writeOnly || field.format === "password") return { ...common, type: "string", format: "password", autocomplete: "new-password" };
  if (Array.isArray(field.enum)) return { ...common, type: "string", enum: field.enum.map(String), enumOf: field.enum, default: String(usual ?? field.enum[0]) };
  if (field.type === "array" && field.items?.type === "string" && !field.items.enum) return { ...common, type: "array" };
  if (KNOWN.includes(field.type)) {
    const { type, minimum, maximum, minLength, maxLength, examples } = field;
    return { ...common, type, minimum, maximum, minLength, maxLength, placeholder: examples?.[0] === undefined ? undefined : String(examples[0]),
      ...(type === "string" && (field.format === "textarea" || maxLength > 500) ? { format: "textarea" } : {}) };
  }
  return { ...common, type: "string", format: "textarea", json: true, description: [description, t("as_json")].filter(Boolean).join(" "),
    default: usual === undefined ? "" : JSON.stringify(usual, null, 2) };
}
