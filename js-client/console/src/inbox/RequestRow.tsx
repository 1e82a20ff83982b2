import type { InputRow } from "@signoff/client";
import { inputKey } from "@signoff/client";
import { memo } from "react";
import { nameOf, words } from "../model/format";
import { useNow } from "../model/clock";
import { href } from "../model/route";
import { Ago, Badge, Due } from "../parts/basics";
import { Icon } from "../parts/Icon";
import { t } from "../texts";
import type { News } from "../model/seen";
import { claimerOf } from "./model";

interface Props {
  row: InputRow;
  me: string | null;
  news: News;
  current: boolean;
  tabIndex: 0 | -1;
  query: string;
  comments: number;
}

export const RequestRow = memo(function RequestRow({ row, me, news, current, tabIndex, query, comments }: Props) {
  const to = href(["inbox", row.run_id, inputKey(row)], new URLSearchParams(query));
  return (
    <a className="row request-row" href={to} tabIndex={tabIndex} aria-current={current ? "page" : undefined} data-news={news ?? undefined}>
      <span className="row-line">
        {news !== null && <span className="dot" data-news={news} title={news === "new" ? t.inbox.fresh : t.inbox.revised} />}
        <span className="row-title" dir="auto">{row.title}</span>
        {news === "new" && <span className="visually-hidden">{t.inbox.fresh}</span>}
        {row.deadline !== null && <Due at={row.deadline} />}
      </span>
      <span className="row-line row-more">
        <span className="row-faint">
          <span>{words(row.workflow)}</span>
          <span aria-hidden="true">·</span>
          <span className="row-who" dir="auto">{row.audience.map((one) => nameOf(one, me)).join(", ") || t.request.askedOfOperators}</span>
          <span aria-hidden="true">·</span>
          <Ago at={row.asked_at} brief />
        </span>
        <Marks row={row} me={me} news={news} comments={comments} />
      </span>
    </a>
  );
});

function Marks({ row, me, news, comments }: Pick<Props, "row" | "me" | "news" | "comments">) {
  const claimer = claimerOf(row, useNow(10_000));
  const mine = claimer !== null && claimer === (me ?? "local");
  return (
    <span className="marks">
      {row.status === "validating" && <Badge tone="busy">{t.inbox.checking}</Badge>}
      {news === "changed" && <Badge tone="warn">{t.inbox.revised}</Badge>}
      {claimer !== null && (
        <Badge tone={mine ? "good" : "plain"} title={mine ? t.inbox.claimedByYou : t.inbox.claimedBy(nameOf(claimer))}>
          <Icon name="hand" /> {mine ? t.inbox.mine : nameOf(claimer)}
        </Badge>
      )}
      {row.quorum !== null && (
        <Badge title={t.inbox.votes(row.votes.length, row.quorum.need)}><Icon name="vote" /> {row.votes.length}/{row.quorum.need}</Badge>
      )}
      {comments > 0 && <Badge><Icon name="comment" /> {comments}<span className="visually-hidden"> {t.request.sections.comments}</span></Badge>}
    </span>
  );
}
