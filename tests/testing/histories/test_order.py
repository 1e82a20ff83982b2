"""What is wrong with the order of a stream, in words."""

from __future__ import annotations

from signoff.testing.histories.order import AppendCall, Reading, faults, missed

A, B, C = AppendCall("a", 0, 1), AppendCall("b", 2, 3), AppendCall("c", 4, 5)


def test_a_stream_in_order_has_no_faults() -> None:
    whole = Reading("r", 0, ("a", "b", "c"), ((1, 1), (3, 3)))
    assert faults([A, B, C], ["a", "b", "c"], [whole, Reading("s", 1, ("b",))]) == []


def test_what_overlaps_and_what_had_no_reply_may_come_anywhere() -> None:
    lost = AppendCall("l", 0, None)
    assert faults([A, lost], ["l", "a"]) == faults([A, lost], ["a", "l"]) == faults([A, lost], ["a"]) == []
    assert faults([AppendCall("x", 0, 9), AppendCall("y", 1, 8)], ["y", "x"]) == []
    assert faults([A, lost, B], ["l", "a", "b"]) == faults([A, lost, B], ["a", "b", "l"]) == []


def test_each_fault_has_its_words() -> None:
    assert faults([A], ["a", "a"]) == ["'a' is there 2 times"]
    assert faults([A], []) == ["'a' was acknowledged, and is not there"]
    assert faults([A], ["a", "z"]) == ["'z' is there, and nobody appended it"]
    assert faults([AppendCall("a", 0, 1, refused=True)], ["a"]) == ["'a' is there, and was refused"]
    assert faults([A, B], ["b", "a"]) == ["'a' was acknowledged before 'b' was called, and comes after it"]
    assert faults([AppendCall("a", 0, 1, end=2)], ["a"]) == ["'a' was said to end at 2, and ends at 1"]
    lost = AppendCall("l", 2, None)
    assert faults([A, lost], ["l", "a"]) == ["'a' was acknowledged before 'l' was called, and comes after it"]


def test_each_fault_of_a_reader_has_its_words() -> None:
    final = ["a", "b", "c"]
    [wrong] = faults([A, B, C], final, [Reading("r", 0, ("b", "c"))])
    assert wrong == "r was given ('b', 'c') at 0, and the stream has ('a', 'b') there"
    [beyond] = faults([A, B, C], final, [Reading("r", 2, ("c", "d"))])
    assert beyond == "r was given ('d',) at 3, and the stream has () there"
    [told] = faults([A, B, C], final, [Reading("r", 0, ("a", "b"), ((2, 3),))])
    assert told == "r was told 3 after 2 messages from 0"
    assert "r was told 1 after 2: offsets go back" in faults(
        [A, B, C], final, [Reading("r", 0, ("a", "b"), ((2, 2), (1, 1)))]
    )


def test_a_read_misses_what_was_acknowledged_before_it_began() -> None:
    final = ["a", "b"]
    assert missed(Reading("r", 0, ("a",), called=2), [A, B], final) == []
    assert missed(Reading("r", 0, ("a",), called=4), [A, B], final) == ["r read to 1 after 'b', at 1, was acknowledged"]
