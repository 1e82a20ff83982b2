/** Search, choices and chips above a list. */
import { useId, useRef, useState } from "react";
import { count } from "../model/format";
import { useKeys } from "./keys";
import { Icon } from "./Icon";

interface SearchProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  list?: readonly string[];
  /** Given the focus by `/`. */
  primary?: boolean;
}

export function Search({ label, value, onChange, list, primary = false }: SearchProps) {
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  const [typed, setTyped] = useTyped(value);
  useKeys((key) => {
    if (!primary || key !== "/") return false;
    input.current?.focus();
    input.current?.select();
    return true;
  });
  return (
    <label className="search">
      <span className="visually-hidden">{label}</span>
      <Icon name="search" />
      <input ref={input} type="search" placeholder={label} dir="auto" value={typed} list={list === undefined ? undefined : id}
        {...(primary ? { "aria-keyshortcuts": "/" } : {})}
        onInput={(event) => {
          setTyped(event.currentTarget.value);
          onChange(event.currentTarget.value);
        }}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.stopPropagation();
          if (typed === "") event.currentTarget.blur();
          else onChange("");
        }} />
      {list !== undefined && <datalist id={id}>{list.map((one) => <option key={one} value={one} />)}</datalist>}
    </label>
  );
}

/** What is typed, until what it is about changes from elsewhere. */
export function useTyped(value: string): [string, (typed: string) => void] {
  const [held, setHeld] = useState({ value, typed: value });
  if (held.value !== value) setHeld({ value, typed: value });
  return [held.typed, (typed) => { setHeld({ value, typed }); }];
}

interface ChoiceProps {
  label: string;
  value: string;
  options: readonly (readonly [value: string, label: string])[];
  onChange: (value: string) => void;
  /** The options say enough to those who see them. */
  bare?: boolean;
}

export function Choice({ label, value, options, onChange, bare = false }: ChoiceProps) {
  return (
    <label className="choice">
      <span className={bare ? "visually-hidden" : undefined}>{label}</span>
      <select value={value} onChange={(event) => { onChange(event.currentTarget.value); }}>
        {options.map(([one, text]) => <option key={one} value={one}>{text}</option>)}
      </select>
    </label>
  );
}

interface ChipsProps {
  label: string;
  value: string;
  chips: readonly { readonly value: string; readonly label: string; readonly count?: number; readonly tone?: string }[];
  onChange: (value: string) => void;
}

export function Chips({ label, value, chips, onChange }: ChipsProps) {
  return (
    <div className="chips" role="group" aria-label={label}>
      {chips.map((chip) => (
        <button key={chip.value} type="button" className="chip" aria-pressed={chip.value === value} data-tone={chip.tone} onClick={() => { onChange(chip.value); }}>
          {chip.label}
          {chip.count !== undefined && <span className="chip-count">{count(chip.count)}</span>}
        </button>
      ))}
    </div>
  );
}
