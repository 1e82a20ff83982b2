/** Keep on the screen what the person is reading, even when the request changes under their eyes. */

import type { InputRow } from "@signoff/client";
import { useState } from "react";
import { type Change, requestChanges } from "../model/changes";

export interface Reading {
  /** The request as it is shown: the revision that was read, with the status of now. */
  shown: InputRow | undefined;
  /** What a newer revision changed; null while what is shown is the newest. */
  changes: readonly Change[] | null;
  /** Show the newest revision. */
  showNewest: () => void;
}

/** A pending request keeps the revision that was first shown, until the person asks for the newer one. */
export function useReading(request: InputRow | undefined): Reading {
  const [read, setRead] = useState<InputRow>();
  if (request && !read) setRead(request);
  const shown = read && request?.status === "pending" && request.revised !== read.revised ? read : request;
  const outdated = shown !== request && shown && request;
  return {
    shown,
    changes: outdated ? requestChanges(shown, request) : null,
    showNewest: () => {
      setRead(request);
    },
  };
}
