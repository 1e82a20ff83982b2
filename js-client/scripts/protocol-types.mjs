// Writes src/protocol.ts, the TypeScript types of what a client reads and sends, from protocol/schemas,
// protocol/verbs.json and protocol/input-verbs.json.
//
//   node scripts/protocol-types.mjs            write it
//   node scripts/protocol-types.mjs --check    fail if it is not what the schemas say
//
// A file `run-row.json` becomes the interface `RunRow`, a definition `run_status` the type `RunStatus`; named scalars
// (an offset, a time) are written out. No library, so that members are `readonly`, and that a keyword nobody thought of is
// an error, not a type that says less than the schema.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** A client needs no knowledge of journals (§1.2); its messages are read by the State Protocol's own package. */
const NOT_FOR_CLIENTS = ["common.json", "history-reply.json", "journal-entry.json", "state-message.json"];
const WIDTH = 120;

/** Keywords that narrow a value further than its type can. */
const BEYOND_TYPES = [
  "allOf", "dependentRequired", "format", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "pattern", "uniqueItems",
];
const ABOUT = ["$schema", "$id", "$comment", "$defs", "title", "description"];
const SHAPES = ["$ref", "anyOf", "const", "enum", "type", "properties", "required", "additionalProperties", "items", "x-reserved"];
const KNOWN = new Set([...BEYOND_TYPES, ...ABOUT, ...SHAPES]);

function path(relative) {
  return fileURLToPath(new URL(relative, import.meta.url));
}

function read(file) {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** The whole module: what has a file and the definitions it needs, by name, then the rows by type. */
function module(all) {
  const places = new Map();
  const texts = new Map();
  const declare = (place) => {
    const name = nameOf(place);
    const known = places.get(name);
    if (known === undefined) {
      places.set(name, place);
      texts.set(name, declaration(name, find(all, place), { all, place, declare }));
    } else if (told(known) !== told(place)) {
      throw new Error(`${told(known)} and ${told(place)} are both to be ${name}`);
    }
    return name;
  };
  for (const file of all.keys()) {
    if (!NOT_FOR_CLIENTS.includes(file)) declare({ file, pointer: "" });
  }
  const rows = rowTypes(all, declare);
  const verbs = verbTypes("Verbs", "What may be done to a run (§10.4)", "verbs.json", declare);
  const onInputs = verbTypes("InputVerbs", "What may be done to a request for input (§7.6)", "input-verbs.json", declare);
  return [HEAD, ...[...texts.keys()].sort().map((name) => texts.get(name)), rows, verbs, onInputs].join("\n");
}

const HEAD = `/**
 * What a client reads from a server and sends to it.
 *
 * Made from protocol/schemas by scripts/protocol-types.mjs: change the schemas, then \`npm run generate\`. Sections (§) are
 * those of protocol/workflow-protocol.md. Servers of the same version may send more members than are known here.
 */
`;

/** What may be done to something, with the types of body and reply. */
function verbTypes(name, about, file, declare) {
  const verbs = Object.entries(JSON.parse(readFileSync(path(`../../protocol/${file}`), "utf8")));
  const typeOf = (file) => (file === null ? "Readonly<Record<string, never>>" : declare({ file, pointer: "" }));
  const members = verbs.map(
    ([verb, { request, reply }]) => `  readonly ${verb}: { readonly body: ${typeOf(request)}; readonly reply: ${typeOf(reply)} };\n`,
  );
  return `/** ${about}, by its name in the address. */
export interface ${name} {
${members.join("")}}
`;
}

/** The rows the engine writes, by their type in messages, and the list of these types. */
function rowTypes(all, declare) {
  const rules = (all.get("state-message.json")?.allOf ?? [])
    .map((rule) => [rule.if?.properties?.type?.const, rule.then?.properties?.value?.$ref])
    .filter(([type, ref]) => type !== undefined && ref !== undefined)
    .map(([type, ref]) => [type, declare(resolve({ file: "state-message.json", pointer: "" }, ref))]);
  const members = rules.map(([type, name]) => `  readonly ${type}: ${name};\n`).join("");
  const list = rules.map(([type]) => JSON.stringify(type)).join(", ");
  return `/** The engine's rows by their type in messages (§5); every other type is the application's. */
export interface EngineRows {
${members}}

/** The types of the engine's rows. */
export const engineRowTypes = [${list}] as const satisfies readonly (keyof EngineRows)[];
`;
}

function declaration(name, schema, context) {
  check(schema, context);
  const doc = comment(schema.description ?? `${schema.title}.`, "");
  if (schema.properties === undefined) return `${doc}export type ${name} =${folded(type(schema, context))};\n`;
  return `${doc}export interface ${name} ${members(schema, context, "")}\n`;
}

/** The type of a value, as TypeScript has it. */
function type(schema, context, indent = "") {
  check(schema, context);
  if (schema["x-reserved"] === true) return "unknown";
  if (schema.$ref !== undefined) return reference(schema.$ref, context, indent);
  if (schema.anyOf !== undefined) return union(schema.anyOf.map((one) => type(one, context, indent)));
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return union([...schema.enum, ...(schema["x-reserved"] ?? [])].map((one) => JSON.stringify(one)));
  if (Array.isArray(schema.type)) return union(schema.type.map((one) => type({ ...schema, type: one }, context, indent)));
  switch (schema.type) {
    case undefined: return "unknown";
    case "null": return "null";
    case "string": return "string";
    case "boolean": return "boolean";
    case "integer": case "number": return "number";
    case "array": return array(schema.items === undefined ? "unknown" : type(schema.items, context, indent));
    case "object": return schema.properties === undefined ? record(schema, context, indent) : members(schema, context, indent);
    default: throw new Error(`${told(context.place)}: no type is known for ${schema.type}`);
  }
}

function check(schema, { place }) {
  const unknown = Object.keys(schema).filter((keyword) => !KNOWN.has(keyword));
  if (unknown.length > 0) throw new Error(`${told(place)}: no type is known for the keyword ${unknown.join(", ")}`);
}

function record({ additionalProperties: values }, context, indent) {
  return `Readonly<Record<string, ${typeof values === "object" ? type(values, context, indent) : "unknown"}>>`;
}

function members(schema, context, indent) {
  const inner = `${indent}  `;
  const lines = Object.entries(schema.properties).map(([name, member]) => {
    const mark = schema.required?.includes(name) ? "" : "?";
    return `${comment(member.description, inner)}${inner}readonly ${name}${mark}: ${type(member, context, inner)};\n`;
  });
  return lines.length === 0 ? "{}" : `{\n${lines.join("")}${indent}}`;
}

/** A union that is too long for one line has one for each member. */
function folded(text) {
  return text.length < 90 ? ` ${text}` : text.split(" | ").map((one) => `\n  | ${one}`).join("");
}

/** A name for what has members, a list of values or of shapes; what is but a scalar is written out. */
function reference(ref, context, indent) {
  const place = resolve(context.place, ref);
  const schema = find(context.all, place);
  const named = schema.properties !== undefined || schema.enum !== undefined || isChoice(schema);
  return named ? context.declare(place) : type(schema, { ...context, place }, indent);
}

/** One of several that have names; it may refer to itself by its own. */
function isChoice({ anyOf }) {
  return anyOf !== undefined && anyOf.every(({ $ref }) => $ref !== undefined);
}

function array(item) {
  return item.includes(" | ") ? `readonly (${item})[]` : `readonly ${item}[]`;
}

function union(types) {
  if (types.includes("unknown")) return "unknown";
  const distinct = [...new Set(types)];
  return distinct.filter((one) => !one.startsWith('"') || !distinct.includes("string")).join(" | ");
}

function resolve(place, ref) {
  const [file, pointer = ""] = ref.split("#");
  return { file: file === "" ? place.file : file, pointer };
}

function find(all, { file, pointer }) {
  const found = pointer.split("/").slice(1).reduce((node, part) => node?.[part], all.get(file));
  if (found === undefined) throw new Error(`${file}#${pointer} is referred to and not there`);
  return found;
}

function nameOf({ file, pointer }) {
  const word = pointer === "" ? file.replace(/\.json$/, "") : pointer.slice(pointer.lastIndexOf("/") + 1);
  return word.split(/[-_.]/).map((part) => part.charAt(0).toUpperCase() + part.slice(1)).join("");
}

function told({ file, pointer }) {
  return `${file}#${pointer}`;
}

/** A doc comment, folded at the width of a line. */
function comment(text, indent) {
  if (text === undefined) return "";
  const one = `${indent}/** ${text.replaceAll("*/", "*\\/")} */`;
  if (one.length <= WIDTH) return `${one}\n`;
  const lines = [];
  for (const word of text.replaceAll("*/", "*\\/").split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || indent.length + 3 + last.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join("")}${indent} */\n`;
}

const { values: options } = parseArgs({
  options: { check: { type: "boolean" }, schemas: { type: "string" }, out: { type: "string" } },
});
const folder = options.schemas ?? path("../../protocol/schemas");
const target = options.out ?? path("../src/protocol.ts");

const schemas = new Map(readdirSync(folder).sort().map((file) => [file, JSON.parse(readFileSync(`${folder}/${file}`, "utf8"))]));
const written = module(schemas);
if (options.check !== true) {
  writeFileSync(target, written);
} else if (read(target) !== written) {
  console.error(`${target} is not what ${folder} says: run "npm --prefix js-client run generate" and commit the result.`);
  process.exitCode = 1;
}
