/** What `AutoForm` shows of texts and values by people and programs: to be read, and never to be run. */
import "./support/dom.js";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { renderToStaticMarkup } from "react-dom/server";
import { afterEach, describe, expect, it } from "vitest";
import { Markdown, Shown, englishWords } from "../src/react/index.js";

afterEach(cleanup);

function marked(text: string): string {
  const { container } = render(<Markdown text={text} />);
  return container.firstElementChild?.innerHTML ?? "";
}

/** Say how many milliseconds a text of so many characters takes, which repeats a part. */
function shownIn(part: string, characters: number): number {
  const text = part.repeat(characters / part.length);
  const begun = performance.now();
  renderToStaticMarkup(<Markdown text={text} />);
  return performance.now() - begun;
}

const LINK = 'target="_blank" rel="noopener noreferrer nofollow"';

describe("Markdown", () => {
  it.each([
    ["paragraphs", "One\ntwo.\n\nThree.", "<p>One\ntwo.</p><p>Three.</p>"],
    ["a hard break", "One  \ntwo", "<p>One  <br>two</p>"],
    ["emphasis", "**a *b* c** _d_ snake_case_name 2 * 3 * 4", "<p><strong>a <em>b</em> c</strong> <em>d</em> snake_case_name 2 * 3 * 4</p>"],
    ["code", "`a < *b*` and ``x ` y``", '<p><code dir="ltr">a &lt; *b*</code> and <code dir="ltr">x ` y</code></p>'],
    ["a block of code", "```py\nif a < b:\n  *x*\n```\nAfter", '<pre dir="ltr" tabindex="0"><code>if a &lt; b:\n  *x*</code></pre><p>After</p>'],
    ["headings", "# One #\n## Two", '<p class="signoff-heading">One</p><p class="signoff-heading">Two</p>'],
    ["a list", "- a\n- b\n  - c\n* d", "<ul><li>a</li><li><p>b</p><ul><li>c</li></ul></li><li>d</li></ul>"],
    ["a numbered list", "3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'],
    ["a quote", "> a\n> b\n\nc", "<blockquote><p>a\nb</p></blockquote><p>c</p>"],
    ["a table", "| a | b |\n|---|--:|\n| *1* | 2 \\| 3 |\n\nc", '<table><thead><tr><th scope="col">a</th><th scope="col" data-side="end">b</th></tr></thead><tbody><tr><td><em>1</em></td><td data-side="end">2 | 3</td></tr></tbody></table><p>c</p>'],
    ["no table where there is none", "a | b\nc | d", "<p>a | b\nc | d</p>"],
    ["what is struck out", "~~old~~ ~new~", "<p><del>old</del> ~new~</p>"],
    ["a rule", "a\n\n---\n\nb", "<p>a</p><hr><p>b</p>"],
    ["a link", "[*the* page](https://example.org/a?b=c \"t\").", `<p><a href="https://example.org/a?b=c" ${LINK}>*the* page</a>.</p>`],
    ["a bare link", "See https://example.org/a. And <mailto:a@example.org>", `<p>See <a href="https://example.org/a" ${LINK}>https://example.org/a</a>. And <a href="mailto:a@example.org" ${LINK}>mailto:a@example.org</a></p>`],
    ["an image, as a link: nothing is fetched", "![logo](https://example.org/x.png)", `<p><a href="https://example.org/x.png" ${LINK}>logo</a></p>`],
    ["what was escaped", "\\*a\\* \\[b](c)", "<p>*a* [b](c)</p>"],
  ])("shows %s", (_, text, html) => {
    expect(marked(text)).toBe(html);
  });

  it.each(["<script>alert(1)</script>", '<img src=x onerror="alert(1)">', "[x](javascript:alert(1))", "[x](data:text/html,y)", "[x](JaVaScRiPt:alert(1))", "[x]( javascript:alert(1))", "<javascript:alert(1)>", "[x](//example.org)", "[x](/answer)"])(
    "leaves %s the text it is",
    (text) => {
      const { container } = render(<Markdown text={text} />);
      expect(container.textContent).toBe(text);
      expect(container.querySelectorAll("script, img, a")).toHaveLength(0);
    },
  );

  it.each(["*a ", "**a ", "_a ", "`a", "[", "![", "[a](", "<http://", "> ", "- ", "\\", "|", "~~", "a|b\n-|-\n"])("takes no longer than there is text, whatever %j there is of", (part) => {
    let times = Infinity; // eight times the text takes eight times as long, not sixty-four, as one quiet moment shows
    for (let round = 0; round < 10 && times >= 32; round += 1) {
      const short = shownIn(part, 2_500);
      times = shownIn(part, 20_000) / Math.max(short, 1);
    }
    expect(times).toBeLessThan(32);
  });
});

function shown(value: unknown, before?: unknown): Element {
  const { container } = render(<Shown value={value} words={englishWords} {...(before === undefined ? {} : { before })} />);
  return container;
}

describe("Shown", () => {
  it("has members as rows, by names that people read", () => {
    const rows = [...shown({ zip_code: "1010", paid: true, gone: null, note: "" }).querySelectorAll("tr")];
    expect(rows.map((row) => row.textContent)).toStrictEqual(["Zip code1010", "PaidYes", "Gone—", "Note—"]);
  });

  it("has items of one shape as a table, with numbers under each other", () => {
    const place = shown({ items: [{ what: "A", amount: "12.50" }, { what: "B", amount: "7.25", extra: "x" }] });
    expect([...place.querySelectorAll(".signoff-rows th")].map((one) => one.textContent)).toStrictEqual(["What", "Amount", "Extra"]);
    expect([...place.querySelectorAll("td.signoff-number")].map((one) => one.textContent)).toStrictEqual(["12.50", "7.25"]);
  });

  it("marks what is other than before where it stands, and what is new and gone", () => {
    const before = { total: 100, who: "Ada", items: [{ what: "A", amount: 1 }, { what: "B", amount: 2 }], gone: 1 };
    const after = { total: 120, who: "Ada", items: [{ what: "New", amount: 3 }, { what: "A", amount: 1 }, { what: "B", amount: 2 }] };
    const place = shown(after, before);
    const rows = [...place.querySelectorAll("tr[data-changed] > :first-child")].map((one) => (one.querySelector(":scope > strong") ?? one).textContent);
    expect(rows).toStrictEqual(["Total", "Items", "New", "Gone"]);
    expect([...place.querySelectorAll("ins")].map((one) => one.textContent)).toStrictEqual(["120", "New", "3"]);
    expect([...place.querySelectorAll("del")].map((one) => one.textContent)).toStrictEqual(["before: 100", "before: 1"]);
  });

  it("marks nothing where only the order of members is other", () => {
    expect(shown({ a: 1, b: 2 }, { b: 2, a: 1 }).querySelectorAll("ins, del, [data-changed]")).toHaveLength(0);
  });

  it("shows what is deep as JSON, and the first hundred of many", () => {
    const deep = JSON.parse(`${'{"a":'.repeat(9)}1${"}".repeat(9)}`) as unknown;
    expect(shown(deep).querySelector("pre")?.textContent).toContain('"a": 1');
    const place = shown(Array.from({ length: 101 }, (_, index) => index));
    expect(place.querySelectorAll("li")).toHaveLength(101);
    fireEvent.click(screen.getByText("Show all 101"));
    expect([...place.querySelectorAll("li")].at(-1)?.textContent).toBe("100");
  });

  it("shows text as text", () => {
    const place = shown({ "<b>": "<script>alert(1)</script>" });
    expect(place.querySelectorAll("script, b")).toHaveLength(0);
    expect(place.textContent).toContain("<script>alert(1)</script>");
  });
});
