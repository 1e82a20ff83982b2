/** A file that stands in what is shown: its name, how large it is, and a way to have it as a file of one's own. */
import { createContext, useContext, useState } from "react";
import type { ReactElement } from "react";
import type { Attachment, InputFiles } from "../../index.js";
import { englishWords } from "./words.js";
import type { AutoFormWords } from "./words.js";

/** The files of the request that is shown. */
export const FilesContext = createContext<InputFiles | undefined>(undefined);

export interface FileLinkProps {
  readonly file: Attachment;
  readonly words?: Pick<AutoFormWords, "openFile">;
}

/** A file by its name; within an `AutoForm` it can be downloaded. */
export function FileLink({ file, words = englishWords }: FileLinkProps): ReactElement {
  const files = useContext(FilesContext);
  const [problem, setProblem] = useState<string | null>(null);
  const name = <><bdi>{file.name}</bdi> <small>{sizeOf(file.size)}</small></>;
  if (files === undefined) return <span>{name}</span>;
  const open = async (): Promise<void> => {
    const reply = await files.download(file);
    setProblem(reply.ok ? null : (reply.problem.detail ?? reply.problem.title));
    if (reply.ok) keepAs(reply.blob, file.name);
  };
  return (
    <span>
      <button type="button" className="signoff-quiet signoff-file-link" title={words.openFile(file.name)} onClick={() => { void open(); }}>{name}</button>
      {problem !== null && <span className="signoff-error" role="alert"> {problem}</span>}
    </span>
  );
}

/** Have the browser keep bytes as a file. They are never opened as a page: the server names no type for them. */
function keepAs(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => { URL.revokeObjectURL(url); }, 60_000);
}

/** Bytes as people read them. */
export function sizeOf(bytes: number): string {
  if (bytes >= 1 << 20) return `${round(bytes / (1 << 20))} MB`;
  return bytes >= 1 << 10 ? `${round(bytes / (1 << 10))} KB` : `${bytes} B`;
}

function round(size: number): string {
  return size.toFixed(1).replace(/\.0$/, "");
}
