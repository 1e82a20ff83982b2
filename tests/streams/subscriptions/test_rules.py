"""The state machine of subscriptions, by itself and under any order of what can happen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signoff.errors import AlreadyClaimed, BadRequest, Conflict409, Fenced, InvalidAck, NoPendingWork, SchemaTooNew
from signoff.streams import offset
from signoff.streams.subscriptions import codec, rules
from signoff.streams.subscriptions.config import Config
from signoff.streams.subscriptions.limits import SubscriptionLimits
from signoff.streams.subscriptions.state import SKEW_MS, Link, Moment, Request, Subscription, Tail, Tails, WakePhase

HOOK = Config("webhook", pattern="e/*", streams=("x",), webhook="https://w.example", lease_ttl_ms=10_000)
PULL = Config("pull-wake", pattern="**", wake_stream="wake", lease_ttl_ms=10_000)


def at(now: int, tails: Tails, wake_id: str = "w1", chance: float = 0.5) -> Moment:
    return Moment(now, tails, wake_id, chance)


def tails(**positions: int) -> dict[str, Tail | None]:
    return {path.replace("_", "/"): Tail("i", position) for path, position in positions.items()}


def new(config: Config, there: Tails) -> Subscription:
    return rules.begun(Subscription("s", config, 0, "http://h/v1/stream/"), there, SubscriptionLimits())


def request(sub: Subscription, *acks: tuple[str, int], done: bool = False, **other: Any) -> Request:
    assert sub.wake is not None
    given = tuple((path, offset.encode(position)) for path, position in acks)
    return replace(Request(sub.wake.id, sub.generation, sub.generation, given, done), **other)


def woken(config: Config = HOOK, **positions: int) -> Subscription:
    return rules.advance(new(config, {}), at(0, tails(**(positions or {"e_a": 3}))))


def test_what_exists_is_linked_at_its_tail_and_what_comes_later_from_its_start() -> None:
    sub = new(HOOK, tails(e_a=5, other=9))
    assert sub.links == {"e/a": Link(False, 5, "i"), "x": Link(True, 0, None)}
    assert rules.advance(sub, at(0, tails(e_a=5))) is sub
    later = rules.advance(sub, at(0, tails(e_a=5, e_b=2, other=10)))
    assert later.links["e/b"] == Link(False, 0, "i")
    assert "other" not in later.links
    assert later.wake is not None
    assert (later.generation, later.wake.phase, later.wake.stream, later.wake.until) == (
        1,
        WakePhase.SENDING,
        "e/b",
        10_000,
    )
    assert later.wake.snapshot == {"e/b": 2, "e/a": 5}


def test_a_wake_in_flight_is_the_only_one() -> None:
    sub = woken()
    assert rules.advance(sub, at(1, tails(e_a=9), "w2")) == sub
    sent = rules.delivered(sub, "w1", at(2, {}))
    assert sent.wake is not None
    assert (sent.wake.phase, sent.wake.until) == (WakePhase.SENT, 10_002)
    assert rules.advance(sent, at(3, tails(e_a=9), "w2")) == sent


def test_done_acknowledges_what_was_told_and_the_rest_wakes_again() -> None:
    done = rules.delivered(woken(), "w1", at(2, {}), done=True)
    assert done.wake is None
    assert done.links["e/a"].acked == 3
    again = rules.advance(done, at(2, tails(e_a=4), "w2"))
    assert again.generation == 2
    assert rules.advance(done, at(2, tails(e_a=3), "w2")) == done
    assert rules.delivered(again, "w1", at(3, {}), done=True) is again, "an answer to an older wake says nothing"


def test_failures_back_off_up_to_a_minute_and_one_success_ends_them() -> None:
    sub, now, waits = woken(), 0, []
    for number in range(2, 11):
        assert sub.wake is not None
        sub = rules.not_delivered(sub, sub.wake.id, at(now, {}))
        assert (sub.status, sub.wake, sub.due_at) == ("failed", None, sub.next_attempt_at)
        assert sub.next_attempt_at is not None
        waits.append(sub.next_attempt_at - now)
        assert rules.advance(sub, at(sub.next_attempt_at - 1, tails(e_a=3))) == sub
        now = sub.next_attempt_at
        sub = rules.advance(sub, at(now, tails(e_a=3), f"w{number}"))
        assert sub.generation == number
        assert sub.status == "failed"
    assert waits == [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]
    assert rules.delivered(sub, "w10", at(now, {})).status == "active"
    first = [
        rules.not_delivered(woken(), "w1", at(0, {}, chance=chance)).next_attempt_at for chance in (0.0, 0.999_999)
    ]
    assert first == [800, 1200]


def test_a_retry_is_dropped_when_nothing_is_pending_any_more() -> None:
    sub = rules.not_delivered(woken(), "w1", at(0, {}))
    gone = rules.advance(sub, at(1_000, {"e/a": None}))
    assert (gone.status, gone.due_at, "e/a" in gone.links) == ("active", None, False)


def test_an_attempt_nobody_reported_on_counts_as_failed_and_an_accepted_one_wakes_anew() -> None:
    lost = rules.advance(woken(), at(10_000, tails(e_a=3), "w2"))
    assert (lost.wake, lost.next_attempt_at) == (None, 11_000)
    silent = rules.advance(rules.delivered(woken(), "w1", at(0, {})), at(10_000, tails(e_a=3), "w2"))
    assert silent.wake is not None
    assert (silent.generation, silent.wake.id) == (2, "w2")


def test_a_clock_that_was_set_back_does_not_stop_wakes() -> None:
    back, there = -3_600_000, tails(e_a=3)
    sent = rules.delivered(woken(), "w1", at(0, {}))
    held = rules.claimed(woken(PULL), "me", at(0, there))
    for sub in (sent, held):
        again = rules.advance(sub, at(back, there, "w2"))
        assert again.wake is not None
        assert (again.wake.id, again.generation) == ("w2", 2)
        assert rules.advance(sub, at(-SKEW_MS, there, "w2")) == sub, "as far as clocks may differ it is waited for"
    lost = rules.advance(woken(), at(back, there))
    assert (lost.wake, lost.next_attempt_at) == (None, back + 1_000)
    retried = rules.advance(rules.not_delivered(woken(), "w1", at(0, {})), at(back, there, "w2"))
    assert retried.generation == 2


def test_a_callback_moves_cursors_and_extends_the_lease() -> None:
    sub = rules.acknowledged(woken(), request(woken(), ("e/a", 2)), at(5_000, tails(e_a=3)))
    assert sub.links["e/a"].acked == 2
    assert sub.due_at == 15_000
    assert rules.delivered(sub, "w1", at(6_000, {})).due_at == 15_000, "the answer that comes after it changes nothing"
    done = rules.acknowledged(sub, request(sub, ("e/a", 3), done=True), at(14_000, tails(e_a=3)))
    assert done.wake is None
    assert rules.advance(done, at(14_000, tails(e_a=3))) == done


@pytest.mark.parametrize(
    "wrong",
    [{"wake_id": "w0"}, {"generation": 2}, {"token_generation": 0}, {"generation": 0, "token_generation": 0}],
    ids=str,
)
def test_another_wake_s_request_is_fenced(wrong: dict[str, Any]) -> None:
    for sub in (woken(), rules.claimed(woken(PULL), "me", at(0, tails(e_a=3)))):
        with pytest.raises(Fenced):
            rules.acknowledged(sub, request(sub, ("e/a", 3), **wrong), at(1, tails(e_a=3)))
        with pytest.raises(Fenced):
            rules.released(sub, request(sub, **wrong), at(1, tails(e_a=3)))


def test_a_lease_that_is_over_fences_its_holder() -> None:
    sub = rules.claimed(woken(PULL), "me", at(0, tails(e_a=3)))
    rules.acknowledged(sub, request(sub), at(9_999, tails(e_a=3)))
    with pytest.raises(Fenced):
        rules.acknowledged(sub, request(sub), at(10_000, tails(e_a=3)))
    unclaimed = woken(PULL)
    with pytest.raises(Fenced):
        rules.acknowledged(unclaimed, request(unclaimed), at(1, tails(e_a=3)))


@pytest.mark.parametrize(
    "ack",
    [
        ("e/a", "-1"),
        ("e/a", "now"),
        ("e/a", "7"),
        ("e/z", offset.encode(0)),
        ("e/a", offset.encode(4)),
        ("e/a", offset.encode(1)),
    ],
)
def test_a_wrong_ack_moves_nothing(ack: tuple[str, str]) -> None:
    sub = rules.acknowledged(woken(), request(woken(), ("e/a", 2)), at(0, tails(e_a=3)))
    good = ("e/a", offset.encode(3))
    with pytest.raises(InvalidAck):
        rules.acknowledged(sub, request(sub, acks=(good, ack)), at(0, tails(e_a=3)))


def test_one_worker_claims() -> None:
    waiting = rules.delivered(woken(PULL), "w1", at(0, {}))
    assert (waiting.due_at, waiting.wake and waiting.wake.phase) == (None, WakePhase.SENT)
    held = rules.claimed(waiting, "one", at(1, tails(e_a=3)))
    assert (held.generation, held.due_at) == (1, 10_001)
    with pytest.raises(AlreadyClaimed) as refused:
        rules.claimed(held, "two", at(2, tails(e_a=3)))
    assert refused.value.extra == {"current_holder": "one", "generation": 1}
    over = rules.claimed(held, "two", at(10_001, tails(e_a=3), "w2"))
    assert over.wake is not None
    assert (over.generation, over.wake.holder) == (2, "two")
    with pytest.raises(NoPendingWork):
        rules.claimed(new(PULL, tails(e_a=3)), "one", at(0, tails(e_a=3)))
    released = rules.released(held, request(held), at(2, tails(e_a=3)))
    assert rules.advance(released, at(2, tails(e_a=3), "w2")).generation == 2


def test_an_event_nobody_claimed_is_taken_back_when_its_stream_is_gone() -> None:
    waiting = rules.delivered(woken(PULL), "w1", at(0, {}))
    assert rules.advance(waiting, at(1, {"e/a": None})).wake is None
    assert rules.advance(waiting, at(1, tails(e_a=9))) == waiting


def test_a_subscription_never_follows_its_own_wake_stream() -> None:
    assert rules.advance(new(PULL, tails(wake=3)), at(0, tails(wake=9))).wake is None


def test_a_stream_that_was_made_anew_is_followed_from_its_start() -> None:
    sub = woken()
    anew = {"e/a": Tail("j", 2)}
    seen = rules.advance(sub, at(1, anew))
    assert seen.links["e/a"] == Link(False, 0, "j")
    done = rules.delivered(seen, "w1", at(2, {}), done=True)
    assert done.links["e/a"].acked == 0, "what was told of is another stream"
    assert rules.advance(done, at(2, anew, "w2")).generation == 2


def test_explicit_links_come_and_go_beside_the_pattern() -> None:
    sub = rules.linked(new(HOOK, tails(e_a=5)), ["e/a", "y"], at(0, tails(e_a=7, y=4)))
    assert sub.links == {"e/a": Link(True, 5, "i"), "x": Link(True, 0), "y": Link(True, 4, "i")}
    sub = rules.unlinked(rules.unlinked(rules.unlinked(sub, "e/a"), "y"), "none")
    assert sub.links == {"e/a": Link(False, 5, "i"), "x": Link(True, 0)}
    assert rules.unlinked(sub, "e/a") is sub


def test_a_wake_tells_of_so_many_streams_at_most_and_the_next_one_of_the_rest() -> None:
    there: dict[str, Tail | None] = {f"e/{number}": Tail("i", 1) for number in range(SubscriptionLimits().listed + 5)}
    sub = rules.advance(new(HOOK, {}), at(0, there))
    assert sub.wake is not None
    assert len(sub.wake.snapshot) == SubscriptionLimits().listed
    again = rules.advance(rules.delivered(sub, "w1", at(0, {}), done=True), at(0, there, "w2"))
    assert again.wake is not None
    assert rules.pending(rules.delivered(again, "w2", at(0, {}), done=True), there) == []


LOW = SubscriptionLimits(followed=2, listed=1)


def test_there_is_a_limit_to_what_a_subscription_follows() -> None:
    there = tails(e_a=1, e_b=1, e_c=1)
    moment = Moment(0, there, "w1", limits=LOW)
    sub = rules.begun(Subscription("s", HOOK, 0, "http://h/"), there, LOW)
    assert (list(sub.links), sub.left_out) == (["x", "e/a"], True)
    assert rules.advance(sub, moment) == sub
    gone = rules.advance(sub, Moment(0, {"e/a": None, "e/c": Tail("i", 1)}, "w1", limits=LOW))
    assert (list(gone.links), gone.left_out) == (["x", "e/c"], True)
    assert codec.loads("s", codec.dumps(gone)) == gone
    assert not rules.none_left_out(gone).left_out
    with pytest.raises(BadRequest):
        rules.linked(sub, ["y"], moment)
    with pytest.raises(BadRequest):
        rules.begun(Subscription("s", replace(HOOK, streams=("x", "y", "z")), 0, "http://h/"), {}, LOW)
    assert rules.linked(sub, ["e/a"], moment).links["e/a"].explicit
    with_room = rules.unlinked(sub, "x")
    assert list(rules.linked(with_room, ["y"], moment).links) == ["e/a", "y"]


def test_what_was_not_looked_up_is_not_taken_for_nothing() -> None:
    """A moment that does not show all streams ends no retry and takes no event back."""
    part = Moment(90_000, {}, "w2", whole=False)
    waiting = rules.delivered(woken(PULL), "w1", at(0, {}))
    assert rules.advance(waiting, part) == waiting
    retry = rules.not_delivered(woken(), "w1", at(0, {}))
    assert rules.advance(retry, part) == retry


def test_a_newer_version_s_subscription_is_refused() -> None:
    data = codec.dumps(woken()).replace(b'"v":1', b'"v":2')
    with pytest.raises(SchemaTooNew):
        codec.loads("s", data)


steps = st.one_of(
    st.tuples(st.just("grow"), st.sampled_from(["e/a", "e/b"]), st.integers(0, 2)),
    st.tuples(st.just("drop"), st.sampled_from(["e/a", "e/b"]), st.just(0)),
    st.tuples(st.just("wait"), st.just(""), st.sampled_from([1, 5_000, 10_000, 70_000, -500_000])),
    st.tuples(
        st.sampled_from(["advance", "arrive", "done", "fail", "claim", "ack", "finish", "release", "stale"]),
        st.just(""),
        st.just(0),
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([HOOK, PULL]), st.lists(steps, max_size=40))
def test_whatever_happens_work_is_told_of_and_nothing_is_skipped(
    config: Config, script: list[tuple[str, str, int]]
) -> None:
    world = _World(config)
    for name, path, number in script:
        world.play(name, path, number)
        world.check()
    world.run_dry()


class _World:
    """Play a script on a subscription, and know what is pending by other means."""

    def __init__(self, config: Config) -> None:
        self.sub = new(config, {})
        self.there: dict[str, Tail | None] = {"e/a": None, "e/b": None}
        self.now = 0
        self.count = 0

    def moment(self) -> Moment:
        self.count += 1
        return at(self.now, self.there, f"w{self.count}", 0.5)

    def play(self, name: str, path: str, number: int) -> None:
        before = self.sub
        try:
            self.sub = self._next(name, path, number)
        except Conflict409:
            return
        assert self.sub.generation in (before.generation, before.generation + 1)
        kept = codec.loads("s", codec.dumps(self.sub))
        assert kept == self.sub

    def _next(self, name: str, path: str, number: int) -> Subscription:
        sub, wake = self.sub, self.sub.wake
        wake_id = wake.id if wake else "none"
        match name:
            case "grow":
                tail = self.there[path] or Tail(f"i{self.count}", 0)
                self.there[path] = replace(tail, position=tail.position + number)
            case "drop":
                self.there[path] = None
            case "wait":
                self.now += number
            case "advance":
                return rules.advance(sub, self.moment())
            case "arrive" | "done" if wake and wake.phase is not WakePhase.HELD:
                done = name == "done" and sub.config is HOOK
                return rules.advance(rules.delivered(sub, wake_id, self.moment(), done=done), self.moment())
            case "fail":
                return rules.advance(rules.not_delivered(sub, wake_id, self.moment()), self.moment())
            case "claim" if sub.config is PULL:
                return rules.claimed(sub, "me", self.moment())
            case "ack" | "finish" if wake:
                acks = tuple((path, offset.encode(at)) for path, at in wake.snapshot.items() if path in sub.links)
                asked = Request(wake_id, sub.generation, sub.generation, acks, name == "finish")
                return rules.advance(rules.acknowledged(sub, asked, self.moment()), self.moment())
            case "release" if wake:
                asked = Request(wake_id, sub.generation, sub.generation)
                return rules.advance(rules.released(sub, asked, self.moment()), self.moment())
            case "stale" if wake:
                with pytest.raises(Fenced):
                    rules.acknowledged(sub, Request(wake_id, sub.generation - 1, sub.generation), self.moment())
        return sub

    def check(self) -> None:
        for path, link in self.sub.links.items():
            tail = self.there.get(path)
            if tail is not None and tail.incarnation == link.incarnation:
                assert link.acked <= tail.position
        if self.sub.wake is not None and self.sub.wake.until is None:
            assert self.sub.config is PULL, "a webhook's wake always ends by itself"

    def run_dry(self) -> None:
        """Let time pass and workers work: in the end nothing is pending and nothing is due."""
        for _ in range(40):
            self.sub = rules.advance(self.sub, self.moment())
            if self.sub.wake is None and self.sub.due_at is None:
                break
            self.now = max(self.now, self.sub.due_at or 0)
            self.sub = rules.advance(self.sub, self.moment())
            if self.sub.config is PULL and rules.pending(self.sub, self.there):
                self.play("claim", "", 0)
                assert self.sub.wake is not None
                acks = tuple(
                    (path, offset.encode(tail.position)) for path in self.sub.links if (tail := self.there.get(path))
                )
                asked = Request(self.sub.wake.id, self.sub.generation, self.sub.generation, acks, done=True)
                self.sub = rules.acknowledged(self.sub, asked, self.moment())
            else:
                self.play("done", "", 0)
        assert rules.pending(rules.advance(self.sub, self.moment()), self.there) == []
        assert self.sub.wake is None
        assert self.sub.due_at is None
