import { AutoForm, useInput } from "../../src/react/index.js";
import type { WidgetProps } from "../../src/react/index.js";

function Stars({ id, describedBy, invalid, disabled, value, onChange }: WidgetProps) {
  const stars = typeof value === "number" ? value : 0;
  return (
    <input id={id} type="range" min={0} max={5} value={stars} disabled={disabled} aria-describedby={describedBy}
      aria-invalid={invalid} onChange={({ target }) => { onChange(Number(target.value)); }} />
  );
}

export function Review({ runId }: { runId: string }) {
  return (
    <AutoForm input={useInput(runId, "review:0")} widgets={{ stars: Stars }} words={{ startOver: "Clear" }}>
      {({ notice, title, facts, shown, decision }) => (
        <div className="columns">
          {notice}
          <div>{title}{facts}{shown}</div>
          <aside>{decision}</aside>
        </div>
      )}
    </AutoForm>
  );
}
