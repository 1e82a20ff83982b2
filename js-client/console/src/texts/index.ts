/** The language of the page: what the browser asks for, if there are texts of it. Another one is a file beside `en.ts`, and its name here. */
import { choose } from "./choose";
import { en } from "./en";

/** All that is said; another language is another object of this type. */
export type Texts = typeof en;

const chosen = choose<Texts>({ en }, navigator.languages);

export const language = chosen.language;
export const languageDirection = chosen.direction;
export const t = chosen.texts;
