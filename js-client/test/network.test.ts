import "./support/dom.js";
import { describe, expect, it } from "vitest";
import { pageNetwork } from "../src/network.js";
import type { WakeReason } from "../src/index.js";

describe("the page's hints", () => {
  it("tell of the network coming back, of the page coming to the front and of the focus, until nobody listens", () => {
    const heard: WakeReason[] = [];
    const stop = pageNetwork.onWake((reason) => heard.push(reason));
    const visibility = (hidden: boolean): void => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new window.Event("visibilitychange"));
    };
    window.dispatchEvent(new window.Event("online"));
    visibility(true);
    expect(pageNetwork.hidden).toBe(true);
    visibility(false);
    expect(pageNetwork.hidden).toBe(false);
    window.dispatchEvent(new window.Event("focus"));
    expect(heard).toStrictEqual(["online", "visible", "focus"]);
    stop();
    window.dispatchEvent(new window.Event("online"));
    window.dispatchEvent(new window.Event("focus"));
    expect(heard).toHaveLength(3);
  });

  it("take navigator's word for being offline", () => {
    Object.defineProperty(navigator, "onLine", { value: false, configurable: true });
    expect(pageNetwork.online).toBe(false);
    Object.defineProperty(navigator, "onLine", { value: true, configurable: true });
    expect(pageNetwork.online).toBe(true);
  });
});
