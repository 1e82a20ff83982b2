/** All that the console says stands in one file, so that another language is another file. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { choose } from "../src/texts/choose";
import { en } from "../src/texts/en";

const src = fileURLToPath(new URL("../src", import.meta.url));
const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => /\.tsx?$/.test(file) && !file.startsWith("texts"));

/** Attributes that people see or hear. */
const SAID = new Set(["aria-label", "aria-description", "alt", "label", "placeholder", "title"]);

/** Words of any language; not punctuation, numbers, or what keys and units are called everywhere. */
const WORD = /\p{L}{2,}/u;

/** What stands in a component as it is shown, instead of in the texts. */
function saidIn(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(join(src, file), "utf8"), ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  const found: string[] = [];
  const note = (text: string): void => { if (WORD.test(text)) found.push(`${file}: ${text.trim()}`); };
  const visit = (node: ts.Node): void => {
    if (ts.isJsxText(node)) note(node.text);
    if (ts.isJsxAttribute(node) && SAID.has(node.name.getText()) && node.initializer !== undefined && ts.isStringLiteral(node.initializer)) note(node.initializer.text);
    if (ts.isJsxExpression(node) && node.expression !== undefined && !ts.isJsxAttribute(node.parent)) {
      const { expression } = node;
      if (ts.isStringLiteralLike(expression)) note(expression.text);
      if (ts.isTemplateExpression(expression)) for (const { literal } of expression.templateSpans) note(literal.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

describe("the texts", () => {
  it("are all that is said: no component has words of its own", () => {
    expect(files.length).toBeGreaterThan(30);
    expect(files.flatMap(saidIn)).toStrictEqual([]);
  });

  it("of another language are chosen by what the browser asks for, and read its way", () => {
    const languages = { en, he: { ...en, brand: "סיגנאוף" } };
    expect(choose(languages, ["he-IL", "en"])).toMatchObject({ language: "he-IL", direction: "rtl", texts: { brand: "סיגנאוף" } });
    expect(choose(languages, ["fr", "en-GB"])).toMatchObject({ language: "en-GB", direction: "ltr", texts: { brand: "Signoff" } });
    expect(choose(languages, ["fr"])).toMatchObject({ language: "en", direction: "ltr" });
  });
});
