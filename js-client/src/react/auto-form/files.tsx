/** Files that are attached: chosen or dropped, sent at once with progress, shown, taken away. The answer refers to them. */
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import type { ReactElement, RefObject } from "react";
import type { Attachment } from "../../index.js";
import type { FieldOf, FilesDraft } from "./draft.js";
import { useShared } from "./fields.js";
import type { FieldProps, Shared } from "./fields.js";
import { sizeOf } from "./file-link.js";

/** How many files a list takes that names no number. */
export const MOST_FILES = 50;

/** Pictures that are nothing else, whatever is in them. */
const PICTURES: readonly string[] = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"];

/** A file on its way. */
interface Sending {
  readonly id: number;
  readonly name: string;
  readonly size: number;
  readonly sent: number;
  readonly stop: AbortController;
}

interface FilesProps extends FieldProps {
  readonly kind: FieldOf<"attachment">;
  readonly most: number;
}

let lastId = 0;

/** Before anything else can happen in the page; on a server there is nothing to do. */
const useAtOnce = typeof document === "object" ? useLayoutEffect : useEffect;

export function Files(props: FilesProps): ReactElement {
  const { field, label = field.label, draft, path, kind, most, onChange } = props;
  const { words, prefix, disabled, errors, files } = useShared();
  const { files: there } = draft as FilesDraft;
  const [sending, setSending] = useState<readonly Sending[]>([]);
  const [failed, setFailed] = useState<readonly string[]>([]);
  const [told, setTold] = useState("");
  const [over, setOver] = useState(false);
  const control = useRef<HTMLInputElement>(null);
  const toControl = useRef(false);
  useEffect(() => {
    // Where no more could be chosen, the control has no focus before it is there again.
    if (toControl.current) control.current?.focus();
    toControl.current = false;
  }, [there, sending]);
  const previews = usePreviews();
  useStopped(sending);
  const id = `${prefix}${path}`;
  const types = kind.types ?? [];
  const kinds = types.map(words.kindOfFile);
  const room = most === 1 ? 1 : most - there.length - sending.length;

  // What has arrived is put where the others are as soon as this is drawn: by then nothing that was filled in meanwhile is
  // lost, and if another field has changed at the same moment, this is drawn again.
  const [arrived, setArrived] = useState<readonly Attachment[]>([]);
  useAtOnce(() => {
    if (arrived.length === 0) return;
    const missing = arrived.filter(({ stream }) => there.every((one) => one.stream !== stream));
    if (missing.length === 0) setArrived([]);
    else {
      if (most === 1) for (const one of there) void files?.remove(one);
      onChange({ files: most === 1 ? missing.slice(-1) : [...there, ...missing] });
    }
  });

  const send = async (file: File): Promise<void> => {
    if (files === undefined) return;
    const stop = new AbortController();
    const mine = { id: lastId += 1, name: file.name, size: file.size, sent: 0, stop };
    setSending((all) => [...all, mine]);
    const onProgress = (sent: number): void => { setSending((all) => all.map((one) => (one.id === mine.id ? { ...one, sent } : one))); };
    const reply = await files.upload(file, { signal: stop.signal, onProgress });
    setSending((all) => all.filter((one) => one.id !== mine.id));
    if (reply.ok) {
      const { attachment } = reply;
      previews.keep(attachment, file);
      setTold(words.attached(attachment.name));
      setArrived((all) => (most === 1 ? [attachment] : [...all, attachment]));
    } else if (!stop.signal.aborted) {
      setFailed((all) => [...all, words.fileFailed(file.name, reply.problem.detail ?? reply.problem.title)]);
    }
  };
  const take = (chosen: readonly File[]): void => {
    const wrong = chosen.slice(room).length > 0 ? [words.tooManyFiles(most)] : [];
    const fitting = chosen.slice(0, Math.max(room, 0)).filter((file) => {
      const why = misfit(file, kind, kinds, words);
      if (why !== null) wrong.push(why);
      return why === null;
    });
    setFailed(wrong);
    if (most === 1 && fitting.length > 0) for (const one of sending) one.stop.abort();
    for (const file of fitting) void send(file);
  };
  const remove = (one: Attachment): void => {
    previews.forget(one);
    void files?.remove(one);
    toControl.current = true;
    setTold(words.removed(one.name));
    onChange({ files: there.filter((other) => other !== one) });
  };

  const invalid = (errors.get(path)?.length ?? 0) > 0 || failed.length > 0;
  const said = [`${id}-l`, field.description === undefined ? "" : `${id}-h`, invalid ? `${id}-e` : "", failed.length > 0 ? `${id}-x` : ""].filter((one) => one !== "");
  return (
    <div
      className="signoff-files"
      data-over={over || undefined}
      onDragOver={(event) => {
        if (disabled || !event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => { setOver(false); }}
      onDrop={(event) => {
        setOver(false);
        if (!event.dataTransfer.types.includes("Files")) return;
        // A file that is dropped and not taken would take the place of the page.
        event.preventDefault();
        if (!disabled) take([...event.dataTransfer.files]);
      }}
    >
      {there.length + sending.length > 0 && (
        <ul className="signoff-files-there">
          {there.map((one) => (
            <li key={one.stream} className="signoff-file">
              <input type="hidden" name={path} value={JSON.stringify(one)} />
              {previews.of(one) !== undefined && <img src={previews.of(one)} alt="" onError={() => { previews.forget(one); }} />}
              <span className="signoff-file-name"><bdi>{one.name}</bdi> <small>{sizeOf(one.size)}</small></span>
              <button type="button" className="signoff-tool" aria-label={words.removeFile(one.name)} title={words.removeFile(one.name)} disabled={disabled} onClick={() => { remove(one); }}><span aria-hidden="true">×</span></button>
            </li>
          ))}
          {sending.map((one) => (
            <li key={one.id} className="signoff-file">
              <span className="signoff-file-name">
                <bdi>{one.name}</bdi>
                <progress aria-label={words.sendingFile(one.name)} max={one.size || 1} value={one.sent} />
              </span>
              <button type="button" className="signoff-tool" aria-label={words.cancelFile(one.name)} title={words.cancelFile(one.name)} onClick={() => { toControl.current = true; one.stop.abort(); }}><span aria-hidden="true">×</span></button>
            </li>
          ))}
        </ul>
      )}
      {files === undefined ? <p className="signoff-help">{words.noFiles}</p> : (
        <Choose {...{ control, id, path, said, invalid, most, disabled, room }} label={label} required={field.required && there.length === 0} accept={types.join(",")} sending={sending.length > 0} words={words} onTake={take} />
      )}
      <p className="signoff-help" id={`${id}-l`}>{words.fileLimits(sizeOf(kind.maxBytes), kinds)}</p>
      {failed.length > 0 && <p className="signoff-error" id={`${id}-x`} role="alert"><bdi>{failed.join(" ")}</bdi></p>}
      <p className="signoff-hidden" role="status">{told}</p>
    </div>
  );
}

interface ChooseProps {
  readonly control: RefObject<HTMLInputElement | null>;
  readonly id: string;
  readonly path: string;
  readonly label: string;
  readonly said: readonly string[];
  readonly invalid: boolean;
  readonly required: boolean;
  readonly most: number;
  readonly room: number;
  readonly accept: string;
  readonly disabled: boolean;
  readonly sending: boolean;
  readonly words: Shared["words"];
  readonly onTake: (files: readonly File[]) => void;
}

/** The browser's own control, which keyboards and screen readers know. */
function Choose({ control, id, path, label, said, invalid, required, most, room, accept, disabled, sending, words, onTake }: ChooseProps): ReactElement {
  return (
    <div className="signoff-choose">
      <input
        ref={control}
        id={`${id}-f`}
        type="file"
        name={`${path}?f`}
        aria-label={`${label}: ${most === 1 ? words.chooseFile : words.chooseFiles}`}
        aria-describedby={said.join(" ")}
        aria-invalid={invalid || undefined}
        aria-required={required || undefined}
        data-sending={sending || undefined}
        multiple={most > 1}
        accept={accept === "" ? undefined : accept}
        disabled={disabled || room <= 0}
        onChange={({ target }) => {
          const chosen = [...(target.files ?? [])];
          // The same file may be chosen again after it was removed.
          target.value = "";
          if (chosen.length > 0) onTake(chosen);
        }}
      />
      <span className="signoff-drop" aria-hidden="true">{words.dropHere}</span>
    </div>
  );
}

/** What is wrong with a file before it is sent; null: nothing that can be told here. */
function misfit(file: File, { maxBytes, types = [] }: FieldOf<"attachment">, kinds: readonly string[], words: Shared["words"]): string | null {
  if (file.size > maxBytes) return words.fileTooLarge(file.name, sizeOf(file.size), sizeOf(maxBytes));
  const type = file.type === "" ? "application/octet-stream" : file.type.split(";")[0] ?? "";
  const fits = types.length === 0 || types.some((one) => one === type || (one.endsWith("/*") && type.startsWith(one.slice(0, -1))));
  return fits ? null : words.fileOfOtherKind(file.name, kinds);
}

interface Previews {
  readonly of: (file: Attachment) => string | undefined;
  readonly keep: (file: Attachment, bytes: Blob) => void;
  readonly forget: (file: Attachment) => void;
}

/** Small pictures of what this page has sent; they are let go with the form. */
function usePreviews(): Previews {
  const [shown, setShown] = useState<Readonly<Record<string, string>>>({});
  const made = useRef<string[]>([]);
  useEffect(() => () => {
    for (const url of made.current.splice(0)) URL.revokeObjectURL(url);
  }, []);
  return {
    of: ({ stream }) => shown[stream],
    keep: ({ stream, type }, bytes) => {
      if (!PICTURES.includes(type)) return;
      const url = URL.createObjectURL(bytes);
      made.current.push(url);
      setShown((all) => ({ ...all, [stream]: url }));
    },
    forget: ({ stream }) => { setShown((all) => Object.fromEntries(Object.entries(all).filter(([name]) => name !== stream))); },
  };
}

/** What is on its way when the form goes is not sent on. */
function useStopped(sending: readonly Sending[]): void {
  const now = useRef(sending);
  useEffect(() => { now.current = sending; });
  useEffect(() => () => {
    for (const { stop } of now.current) stop.abort();
  }, []);
}
