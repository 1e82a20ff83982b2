import type { JournalEntry } from "../model/api";
import { useNow } from "../model/clock";
import { timeOfDay } from "../model/format";
import { Loading } from "../parts/basics";
import { VirtualList } from "../parts/VirtualList";
import { t } from "../texts";

export function Journal({ entries }: { entries: readonly JournalEntry[] }) {
  const now = useNow(60_000);
  if (entries.length === 0) return <Loading label={t.run.journal.loading} />;
  const items = entries.map((entry, index) => ({ entry, index }));
  return (
    <>
      <p className="faint">{t.run.journal.lead} {t.run.journal.entries(entries.length)}</p>
      <VirtualList label={t.run.tabs.journal} items={items} keyOf={keyOf} estimate={2.6} measured className="journal" focusable>
        {({ entry, index }) => {
          const { type, at, id, ...rest } = entry;
          return (
            <details className="entry">
              <summary>
                <span className="faint value-number">{index}</span> <code>{type}</code> {id !== undefined && <span className="mono">{id}</span>}
                <span className="faint end">{timeOfDay(new Date(at).toISOString(), now)}</span>
              </summary>
              <pre>{JSON.stringify(rest, null, 2)}</pre>
            </details>
          );
        }}
      </VirtualList>
    </>
  );
}

function keyOf({ index }: { readonly index: number }): string {
  return String(index);
}
