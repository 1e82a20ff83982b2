/** Which of the languages there are a browser is spoken to in. */

const RIGHT_TO_LEFT = ["ar", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi"];

export interface Chosen<Texts> {
  /** As the browser asks for it, with its region: times and numbers are written by it, too. */
  readonly language: string;
  readonly direction: "ltr" | "rtl";
  readonly texts: Texts;
}

/**
 * Choose the first language that somebody wants and there is; else English.
 *
 * @param languages are the texts by language, such as `de`
 * @param wanted are the browser's languages, such as `de-AT`, the dearest first
 */
export function choose<Texts>(languages: Readonly<Record<string, Texts>> & { readonly en: Texts }, wanted: readonly string[]): Chosen<Texts> {
  const language = wanted.find((tag) => Object.hasOwn(languages, base(tag))) ?? "en";
  return { language, direction: RIGHT_TO_LEFT.includes(base(language)) ? "rtl" : "ltr", texts: languages[base(language)] ?? languages.en };
}

function base(tag: string): string {
  return tag.toLowerCase().split("-")[0] ?? tag;
}
