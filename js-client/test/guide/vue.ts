import type { InputSnapshot, InputView, Readable, Signoff } from "../../src/index.js";
import { computed, inject, onScopeDispose, shallowRef, toValue, watch } from "vue";
import type { ComputedRef, InjectionKey, MaybeRefOrGetter, ShallowRef } from "vue";

/** For `app.provide(SIGNOFF, createSignoff({ url: "/" }))`. */
export const SIGNOFF: InjectionKey<Signoff> = Symbol("signoff");

/** Any view of the client as a ref that follows it, for as long as the component is there. */
export function useView<S extends object>(view: MaybeRefOrGetter<Readable<S>>): Readonly<ShallowRef<S>> {
  const snapshot: ShallowRef<S> = shallowRef(toValue(view).getSnapshot());
  let stop: (() => void) | undefined;
  const follow = (now: Readable<S>): void => {
    stop?.();
    const update = (): void => { snapshot.value = now.getSnapshot(); };
    stop = now.subscribe(update);
    update();
  };
  watch(() => toValue(view), follow, { immediate: true, flush: "sync" });
  onScopeDispose(() => stop?.());
  return snapshot;
}

/** A request as it stands, and how to answer it. */
export function useInput(runId: MaybeRefOrGetter<string>, key: string): {
  readonly state: Readonly<ShallowRef<InputSnapshot>>;
  readonly answer: ComputedRef<InputView["answer"]>;
} {
  const client = inject(SIGNOFF);
  if (client === undefined) throw new Error("There is no app.provide(SIGNOFF, …) above this component");
  const view = computed(() => client.input(toValue(runId), key));
  return { state: useView(view), answer: computed(() => view.value.answer) };
}
