/** What every field of one form shares. */

import { createContext, useContext } from "react";
import type { Schema } from "./schema";

export interface FormContext {
  /** The document that references point into. */
  root: Schema;
  errors: ReadonlyMap<string, readonly string[]>;
  disabled: boolean;
}

export const FormContext = createContext<FormContext>({ root: {}, errors: new Map(), disabled: false });

export function useForm(): FormContext {
  return useContext(FormContext);
}
