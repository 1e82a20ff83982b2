/** A question in front of the page; the browser keeps the focus inside, and Escape is a no. */
import { useEffect, useId, useRef } from "react";
import type { ReactNode } from "react";
import { t } from "../texts";
import { Icon } from "./Icon";

interface Props {
  title: string;
  onClose: () => void;
  onSubmit?: () => void;
  children: ReactNode;
  actions?: ReactNode;
  wide?: boolean;
}

export function Dialog({ title, onClose, onSubmit, children, actions, wide = false }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const before = useRef<Element | null>(null);
  useEffect(() => {
    const { current } = dialog;
    before.current = document.activeElement;
    current?.showModal();
    return () => {
      current?.close();
      if (before.current instanceof HTMLElement && before.current.isConnected) before.current.focus();
    };
  }, []);
  return (
    <dialog ref={dialog} className="dialog" data-wide={wide} aria-labelledby={id} onCancel={(event) => { event.preventDefault(); onClose(); }}
      onClick={(event) => { if (event.target === dialog.current) onClose(); }}>
      <form onSubmit={(event) => { event.preventDefault(); onSubmit?.(); }}>
        <header>
          <h2 id={id}>{title}</h2>
          <button type="button" className="button icon-only quiet" aria-label={t.keys.close} onClick={onClose}><Icon name="close" /></button>
        </header>
        <div className="dialog-body">{children}</div>
        {actions !== undefined && <footer>{actions}</footer>}
      </form>
    </dialog>
  );
}
