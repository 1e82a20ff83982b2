/**
 * What would answer is disarmed for a second after anything that changes what the person sees, or what the button under
 * the pointer is. A click that was meant for what stood there before does nothing.
 */

import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { KeyboardEvent, MouseEvent, RefObject } from "react";

const DISARMED_MS = 1000;
/** As long as a second click of a double click may take. */
const SETTLING_MS = 500;

/** On a server there is no layout, and React says so aloud. */
const useLayout = typeof document === "undefined" ? useEffect : useLayoutEffect;

/** The handlers of a button (or link) that acts only while it is armed. */
export interface Guard {
  readonly onPointerDown: () => void;
  readonly onKeyDown: (event: KeyboardEvent) => void;
  readonly onClick: (event: MouseEvent) => void;
}

export interface Arming {
  readonly armed: boolean;
  /** The first half of that second, in which nothing should be chosen either. */
  readonly settling: boolean;
  readonly guard: (act: () => void) => Guard;
}

const everyone = new Set<() => void>();

/** Disarm every button of the page when something that lies above it comes, changes (`sight` names it) or goes. */
export function useDisturbing(sight: string): void {
  useLayout(() => {
    const disturb = () => {
      for (const disarm of everyone) disarm();
    };
    disturb();
    return disturb;
  }, [sight]);
}

function topOf(place: RefObject<HTMLElement | null> | undefined): number | null {
  return place?.current?.offsetTop ?? null;
}

/**
 * Follow what the person sees, for buttons that answer. `sight` names it, and a new name disarms. So do the `buttons`, if they are moved by what
 * stands around them, unless that grows under the person's typing.
 */
export function useArming(sight: string, buttons?: RefObject<HTMLElement | null>): Arming {
  const [turn, setTurn] = useState({ sight, count: 0 });
  const [reached, setReached] = useState({ count: -1, armed: false });
  const since = useRef(Infinity);
  /** Whether it was armed when the pointer or the key went down; null: nothing is down. */
  const pressed = useRef<boolean | null>(null);
  if (turn.sight !== sight) setTurn({ sight, count: turn.count + 1 });

  const disarm = useCallback(() => {
    since.current = performance.now();
    setTurn((now) => ({ ...now, count: now.count + 1 }));
  }, []);

  useEffect(() => {
    // A page that was out of sight shows everything anew.
    const seen = () => {
      if (document.visibilityState === "visible") disarm();
    };
    document.addEventListener("visibilitychange", seen);
    everyone.add(disarm);
    return () => {
      document.removeEventListener("visibilitychange", seen);
      everyone.delete(disarm);
    };
  }, [disarm]);

  /** Where the buttons were when somebody last looked. */
  const top = useRef<number | null>(null);
  const look = useCallback(() => {
    const now = topOf(buttons);
    const moved = top.current !== null && now !== top.current;
    top.current = now;
    if (moved && !(document.activeElement instanceof HTMLTextAreaElement)) disarm();
  }, [buttons, disarm]);

  useEffect(() => {
    const around = buttons?.current?.parentElement;
    if (!around || typeof ResizeObserver === "undefined") return;
    top.current = null;
    const observer = new ResizeObserver(look);
    // What stands above the panel moves the buttons, too; a page that scrolls within grows somewhere between.
    for (let place: Element | null = around; place !== null; place = place.parentElement) observer.observe(place);
    return () => {
      observer.disconnect();
    };
  }, [buttons, sight, look]);

  useLayout(() => {
    since.current = performance.now();
    if (pressed.current !== null) pressed.current = false;
    const settle = setTimeout(() => {
      setReached({ count: turn.count, armed: false });
    }, SETTLING_MS);
    const arm = setTimeout(() => {
      setReached({ count: turn.count, armed: true });
    }, DISARMED_MS);
    return () => {
      clearTimeout(settle);
      clearTimeout(arm);
    };
  }, [turn.count]);

  const guard = useCallback((act: () => void): Guard => {
    // The clock decides, and where the buttons are now, not what was last rendered.
    const isArmed = () => {
      look();
      return performance.now() - since.current >= DISARMED_MS;
    };
    return {
      onPointerDown: () => {
        pressed.current = isArmed();
      },
      onKeyDown: (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        if (event.repeat) event.preventDefault();
        else pressed.current = isArmed();
      },
      onClick: (event) => {
        // A click that nothing was pressed for comes from an aid, such as a screen reader.
        if (isArmed() && pressed.current !== false) act();
        else event.preventDefault();
        pressed.current = null;
      },
    };
  }, [look]);

  const current = reached.count === turn.count;
  return { armed: current && reached.armed, settling: !current, guard };
}
