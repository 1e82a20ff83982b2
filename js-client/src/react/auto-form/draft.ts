/**
 * What stands in the fields of a form, and what it says. Pure.
 *
 * A draft is shaped like its field and holds what was typed, as it was typed. Reading it gives the value that is sent, and
 * what cannot be sent as it was typed; whether the value fits is the server's to say.
 */
import { isAttachment } from "../../index.js";
import type { AnswerError, Attachment, FormField } from "../../index.js";
import { exactNumber, readJson, readNumber, unambiguous } from "./numbers.js";
import type { AutoFormWords } from "./words.js";

/** A field by its kind. */
export type FieldOf<Kind extends FormField["kind"]> = FormField extends infer Of ? (Of extends { kind: infer Kinds } ? (Kind extends Kinds ? Of : never) : never) : never;

/** What stands in one field: a text, the number of an option as text, on or off, or what its parts hold. */
export type Draft = string | boolean | null | FilesDraft | GroupDraft | UnionDraft | ChosenDraft | RowsDraft;

/** Of a fieldset or a tuple; an optional one may be off. */
export interface GroupDraft {
  readonly on: boolean;
  readonly fields: readonly Draft[];
}

/** Of a union: what stands in each variant is kept while another one is chosen; -1 is none. */
export interface UnionDraft {
  readonly variant: number;
  readonly variants: readonly (readonly Draft[])[];
}

/** Of a list of some of several options: their numbers. */
export interface ChosenDraft {
  readonly chosen: readonly number[];
}

/** Of a file, or of a list of files: those that are there. */
export interface FilesDraft {
  readonly files: readonly Attachment[];
}

/** Of a list or a map. */
export interface RowsDraft {
  readonly rows: readonly RowDraft[];
}

export interface RowDraft {
  /** Its own among the rows, so that it is known when it moves. */
  readonly id: number;
  /** The name, in a map. */
  readonly key?: Draft;
  readonly value: Draft;
}

/** A proposal that the form has no place for. */
export interface Misfit {
  readonly pointer: string;
  readonly value: unknown;
}

/** The draft of a whole form; `value` is what it begins with. */
export function begin(form: readonly FormField[], value: unknown): { readonly draft: GroupDraft; readonly misfits: readonly Misfit[] } {
  const misfits: Misfit[] = [];
  const [whole] = form;
  const given = value ?? undefined;
  if (whole !== undefined && isWhole(form)) return { draft: { on: true, fields: [beginField(whole, given, "", misfits)] }, misfits };
  return { draft: { on: true, fields: beginMembers(form, asObject(given, "", misfits), "", misfits) }, misfits };
}

/** True for a form about a value that is no object: its only field is the whole. */
export function isWhole(form: readonly FormField[]): boolean {
  return form.length === 1 && form[0]?.pointer === "";
}

/** The draft of one field; undefined is nothing given, which its default stands in for. */
export function beginField(field: FormField, given: unknown, pointer = "", misfits: Misfit[] = []): Draft {
  const value = given === undefined ? defaultOf(field) : given;
  const none = value === undefined || value === null;
  const misfit = <D>(instead: D): D => {
    if (!none) misfits.push({ pointer, value });
    return instead;
  };
  switch (field.kind) {
    case "hidden":
      return null;
    case "text":
    case "textarea":
    case "password":
    case "date":
    case "time":
    case "datetime":
      return typeof value === "string" ? value : misfit("");
    case "integer":
    case "number":
    case "decimal":
      if (typeof value === "number") return unambiguous(String(value));
      return typeof value === "string" ? unambiguous(value) : misfit("");
    case "checkbox":
      if (!isToBeDecided(field)) return typeof value === "boolean" ? value : misfit(false);
      return typeof value === "boolean" ? (value ? "1" : "0") : misfit("");
    case "radios":
    case "select":
      return String(none ? "" : numberOf(field, value, misfit));
    case "fieldset":
      return { on: field.required || hasDefault(field) || !none, fields: beginMembers(field.fields, asObject(value, pointer, misfits), pointer, misfits) };
    case "tuple": {
      const items: readonly unknown[] = Array.isArray(value) ? value : misfit([]);
      const fields = field.fields.map((item, index) => beginField(item, items[index], below(pointer, index), misfits));
      return { on: field.required || hasDefault(field) || !none, fields };
    }
    case "union":
      return beginUnion(field, asObject(value, pointer, misfits), pointer, misfits);
    case "attachment":
      return { files: isAttachment(value) ? [value] : misfit([]) };
    case "list": {
      const items: readonly unknown[] = Array.isArray(value) ? value : misfit([]);
      const { item } = field;
      if (item.kind === "attachment") return { files: items.every(isAttachment) ? items : misfit([]) };
      if (isSeveralOf(field) && (item.kind === "radios" || item.kind === "select")) {
        return { chosen: items.map((one) => numberOf(item, one, misfit)).filter((index) => index !== "") };
      }
      const rows = items.map((one, id): RowDraft => ({ id, value: beginField(item, one ?? null, below(pointer, id), misfits) }));
      return { rows: [...rows, ...blankRows(field, rows.length, (id) => ({ id, value: beginField(item, undefined) }))] };
    }
    case "map": {
      const entries = Object.entries(asObject(value, pointer, misfits));
      const rows = entries.map(([key, one], id): RowDraft => ({
        id, key: beginField(keyField(field), key), value: beginField(field.value, one ?? null, below(pointer, key), misfits),
      }));
      return { rows: [...rows, ...blankRows(field, rows.length, (id) => newRow(field, id))] };
    }
    default:
      // What is not known is JSON.
      return value === undefined ? "" : JSON.stringify(value, null, 2);
  }
}

/** A blank row of a list or a map. */
export function newRow(field: FieldOf<"list"> | FieldOf<"map">, id: number): RowDraft {
  if (field.kind === "list") return { id, value: beginField(field.item, undefined) };
  return { id, key: beginField(keyField(field), undefined), value: beginField(field.value, undefined) };
}

/** The field of the names of a map. */
export function keyField(field: FieldOf<"map">): FormField {
  return { name: "*", pointer: "", label: "", required: true, ...field.key } as FormField;
}

/** True for a list of some of several options, each once. */
export function isSeveralOf(field: FieldOf<"list">): boolean {
  return field.unique === true && (field.item.kind === "radios" || field.item.kind === "select");
}

/** True for a yes or no that nobody has proposed: off is no answer. */
export function isToBeDecided(field: FieldOf<"checkbox">): boolean {
  return field.required && field.value === undefined && defaultOf(field) === undefined;
}

/** True where a field may be left blank as a choice of its own. */
export function mayBeBlank(field: FormField): boolean {
  return "blank" in field || (!field.required && !hasDefault(field));
}

/** The default of a field, if it is anything. */
export function defaultOf(field: FormField): unknown {
  return "default" in field ? (field.default ?? undefined) : undefined;
}

function hasDefault(field: FormField): boolean {
  return !("blank" in field) && defaultOf(field) !== undefined;
}

/** Add a member's name or an item's number to a JSON Pointer (RFC 6901). */
export function below(pointer: string, name: string | number): string {
  return `${pointer}/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** Add a member's name or an item's number to the path of a control, which is its name in the form. */
export function step(path: string, name: string | number): string {
  return `${path}/${encodeURIComponent(String(name))}`;
}

function beginMembers(fields: readonly FormField[], value: Readonly<Record<string, unknown>>, pointer: string, misfits: Misfit[]): Draft[] {
  return fields.map((field) => beginField(field, own(value, field.name), below(pointer, field.name), misfits));
}

function beginUnion(field: FieldOf<"union">, value: Readonly<Record<string, unknown>>, pointer: string, misfits: Misfit[]): UnionDraft {
  const variant = field.variants.findIndex((one) => one.value === own(value, field.tag));
  if (variant < 0 && Object.keys(value).length > 0) misfits.push({ pointer, value });
  return { variant, variants: field.variants.map((one, index) => beginMembers(one.fields, index === variant ? value : {}, pointer, misfits)) };
}

function blankRows(field: FieldOf<"list"> | FieldOf<"map">, filled: number, row: (id: number) => RowDraft): RowDraft[] {
  const wanted = field.required ? Math.min(field.min ?? 0, 20) : 0;
  return Array.from({ length: Math.max(0, wanted - filled) }, (_, index) => row(filled + index));
}

function numberOf(field: FieldOf<"radios">, value: unknown, misfit: (instead: "") => ""): number | "" {
  const index = field.options.findIndex((option) => option.value === value);
  return index < 0 ? misfit("") : index;
}

function asObject(value: unknown, pointer: string, misfits: Misfit[]): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>;
  if (value !== undefined && value !== null) misfits.push({ pointer, value });
  return {};
}

function own(value: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

/** What a draft says. */
export interface Written {
  readonly value: unknown;
  /** What cannot be sent as it was typed. */
  readonly errors: readonly AnswerError[];
  /** The path of the control for each pointer that has one. */
  readonly places: ReadonlyMap<string, string>;
  /** What the control at a path is called. */
  readonly labels: ReadonlyMap<string, string>;
}

/** Read a whole form. `keep`: as it is to be kept, without passwords, and with what cannot be sent. */
export function write(form: readonly FormField[], draft: GroupDraft, words: AutoFormWords, keep = false): Written {
  const reader = new Reader(words, keep);
  const [whole] = form;
  const value = whole !== undefined && isWhole(form)
    ? (reader.read(whole, draft.fields[0], "v", "") ?? null)
    : reader.members(form, draft.fields, "v", "");
  return { value, errors: reader.errors, places: reader.places, labels: reader.labels };
}

/** Read one field, with whatever is typed in it. */
export function valueOf(field: FormField, draft: Draft, words: AutoFormWords): unknown {
  return new Reader(words, true).read(field, draft, "", "");
}

class Reader {
  readonly errors: AnswerError[] = [];
  readonly places = new Map<string, string>();
  readonly labels = new Map<string, string>();
  readonly #words: AutoFormWords;
  readonly #keep: boolean;

  constructor(words: AutoFormWords, keep: boolean) {
    this.#words = words;
    this.#keep = keep;
  }

  members(fields: readonly FormField[], drafts: readonly Draft[], path: string, pointer: string, within = ""): Record<string, unknown> {
    const values = fields.map((field, index) => [field.name, this.read(field, drafts[index], step(path, field.name), below(pointer, field.name), within + field.label)] as const);
    return Object.fromEntries(values.filter(([, value]) => value !== undefined));
  }

  /** The value of a field; undefined leaves it out. */
  read(field: FormField, draft: Draft | undefined, path: string, pointer: string, label = field.label): unknown {
    this.places.set(pointer, path);
    this.labels.set(path, label);
    const nothing = (): unknown => this.#nothing(field, pointer);
    switch (field.kind) {
      case "hidden":
        return field.value;
      case "checkbox":
        return draft === "" ? nothing() : draft === true || draft === "1";
      case "radios":
      case "select":
        return (draft === "" ? undefined : field.options[Number(draft)]?.value) ?? nothing();
      case "fieldset":
      case "tuple": {
        const { on, fields } = draft as GroupDraft;
        if (!on) return nothing();
        if (field.kind === "fieldset") return this.members(field.fields, fields, path, pointer, `${label} › `);
        return field.fields.map((item, index) => this.read(item, fields[index], step(path, index), below(pointer, index), `${label} › ${item.label}`) ?? null);
      }
      case "union": {
        const { variant, variants } = draft as UnionDraft;
        const chosen = field.variants[variant];
        if (chosen === undefined) return nothing();
        return { [field.tag]: chosen.value, ...this.members(chosen.fields, variants[variant] ?? [], `${path}@${variant}`, pointer, `${label} › `) };
      }
      case "attachment":
        return (draft as FilesDraft).files[0] ?? nothing();
      case "list":
        return this.#list(field, draft as FilesDraft | RowsDraft | ChosenDraft, path, pointer, label);
      case "map":
        return this.#map(field, draft as RowsDraft, path, pointer, label);
      case "password":
        return this.#keep ? undefined : this.#text(field, draft as string, pointer);
      default:
        return this.#text(field, draft as string, pointer);
    }
  }

  #text(field: FormField, typed: string, pointer: string): unknown {
    if (field.kind === "text" || field.kind === "textarea" || field.kind === "password") return typed === "" ? this.#nothing(field, pointer) : typed;
    if (typed.trim() === "") return this.#nothing(field, pointer);
    switch (field.kind) {
      case "integer":
      case "number":
      case "decimal": {
        const reading = readNumber(typed, this.#words);
        if (!reading.ok) return this.#refuse(pointer, reading.problem, typed);
        if (field.kind === "decimal") return withPlaces(reading.value, field.places);
        return exactNumber(reading.value) ?? this.#refuse(pointer, this.#words.tooExact(reading.value, String(Number(reading.value))), typed);
      }
      case "time":
      case "datetime":
        return typed.split(":").length === 2 && /:\d\d$/.test(typed) ? `${typed}:00` : typed;
      case "date":
        return typed;
      default: {
        const reading = readJson(typed, this.#words);
        // Kept as a text it would come back as one.
        return reading.ok ? reading.value : this.#refuse(pointer, reading.problem, undefined);
      }
    }
  }

  #list(field: FieldOf<"list">, draft: FilesDraft | RowsDraft | ChosenDraft, path: string, pointer: string, label: string): unknown {
    let items: readonly unknown[];
    if ("files" in draft) {
      items = draft.files;
      // What is wrong with one of them is said where they all are.
      for (const index of items.keys()) this.places.set(below(pointer, index), path);
    } else if ("chosen" in draft) {
      const { item } = field;
      const options = item.kind === "radios" || item.kind === "select" ? item.options : [];
      items = options.filter((_, index) => draft.chosen.includes(index)).map(({ value }) => value);
    } else {
      // A row that nobody has filled in is none; where an item may be blank it is one.
      const filled = draft.rows.filter(({ value }) => !field.item.required || this.#keep || !isBlank(value));
      items = filled.map(({ id, value }, index) => this.read(field.item, value, step(path, id), below(pointer, index), `${label} › ${field.item.label} ${index + 1}`) ?? null);
    }
    return items.length > 0 || field.required || "default" in field ? items : this.#nothing(field, pointer);
  }

  #map(field: FieldOf<"map">, { rows }: RowsDraft, path: string, pointer: string, label: string): unknown {
    const found = new Map<string, unknown>();
    for (const [index, { id, key = "", value }] of rows.entries()) {
      if (isBlank(key) && isBlank(value)) continue;
      const inner = step(path, id);
      const name = this.read({ ...keyField(field), required: false }, key, `${inner}?k`, `${pointer}?${id}`, `${label} › ${this.#words.name} ${index + 1}`);
      const text = typeof name === "string" || typeof name === "number" || typeof name === "boolean" ? String(name) : "";
      const read = this.read(field.value, value, inner, below(pointer, text), `${label} › ${field.value.label} ${index + 1}`) ?? null;
      if (name === undefined && (field.key.kind === "radios" || field.key.kind === "select")) this.#refuse(`${pointer}?${id}`, this.#words.required, undefined);
      if (found.has(text)) this.#refuse(`${pointer}?${id}`, this.#words.twice(text), undefined);
      found.set(text, read);
    }
    return found.size > 0 || field.required || "default" in field ? Object.fromEntries(found) : this.#nothing(field, pointer);
  }

  /** The value of a field in which nothing stands. */
  #nothing(field: FormField, pointer: string): unknown {
    const { kind } = field;
    const isText = kind === "text" || kind === "textarea" || kind === "password";
    if ("blank" in field) return null;
    if (isText && (field.required || defaultOf(field) !== undefined)) {
      return field.required && (field.minLength ?? 0) > 0 ? this.#refuse(pointer, this.#words.required, "") : "";
    }
    if (field.required) return this.#refuse(pointer, this.#words.required, undefined);
    const otherwise = defaultOf(field);
    if (otherwise === undefined) return undefined;
    return this.#refuse(pointer, this.#words.wouldBe(typeof otherwise === "string" ? otherwise : JSON.stringify(otherwise)), undefined);
  }

  /** Note what is wrong; `kept` stands in for the value. */
  #refuse(pointer: string, message: string, kept: unknown): unknown {
    this.errors.push({ pointer, message });
    return kept;
  }
}

/** True if nothing was filled in, neither here nor below. */
export function isBlank(draft: Draft): boolean {
  if (draft === null || draft === "" || draft === false) return true;
  if (typeof draft === "string" || draft === true) return false;
  if ("files" in draft) return draft.files.length === 0;
  if ("rows" in draft) return draft.rows.every(({ key = "", value }) => isBlank(key) && isBlank(value));
  if ("chosen" in draft) return draft.chosen.length === 0;
  if ("variant" in draft) return draft.variant < 0;
  return !draft.on || draft.fields.every(isBlank);
}

/** Without the zeros that are more places than there may be. */
function withPlaces(text: string, places: number | undefined): string {
  const point = text.indexOf(".");
  if (places === undefined || point < 0) return text;
  let end = text.length;
  while (end - point - 1 > places && text[end - 1] === "0") end -= 1;
  return end === point + 1 ? text.slice(0, point) : text.slice(0, end);
}
