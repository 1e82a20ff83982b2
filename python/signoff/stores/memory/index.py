"""What listings are read from, in memory: for each kind, and each term of a kind, what has it in its order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby
from typing import Generic, Protocol, TypeVar

from signoff.stores import paging
from signoff.stores.base import Listing, Page

_Place = tuple[int, int]
"""(sort, number): numbers are given in the order of first writing."""


class Listable(Protocol):
    """What can be listed."""

    @property
    def number(self) -> int:
        """Return what orders items of one `sort`, unique among all."""
        ...

    @property
    def kind(self) -> str:
        """Return the kind it is listed under."""
        ...

    @property
    def sort(self) -> int:
        """Return what orders it."""
        ...

    @property
    def terms(self) -> tuple[str, ...]:
        """Return what it is listed by."""
        ...


T = TypeVar("T", bound=Listable)


class Index(Generic[T]):
    """Items of several kinds, in the order of `sort`, found by their terms."""

    def __init__(self) -> None:
        self._items: dict[int, T] = {}
        self._lists: dict[tuple[str, str | None], list[_Place]] = {}

    def add(self, item: T) -> None:
        """Begin to list an item."""
        self._items[item.number] = item
        for term in (None, *dict.fromkeys(item.terms)):
            self._add(item, term)

    def moved(self, item: T, before: tuple[str, ...]) -> None:
        """List an item by the terms it has now, and no more by those it had before."""
        if item.terms == before:
            return
        old, new = dict.fromkeys(before), dict.fromkeys(item.terms)
        for term in old.keys() - new.keys():
            self._drop(item, term)
        for term in new.keys() - old.keys():
            self._add(item, term)

    def drop(self, item: T) -> None:
        """List an item no more."""
        del self._items[item.number]
        for term in (None, *dict.fromkeys(item.terms)):
            self._drop(item, term)

    def page(self, where: Listing, limit: int, cursor: str | None) -> Page[T]:
        """Return a page of a listing.

        Raises:
            BadRequest: the cursor is not one of ours.
        """
        start = paging.place(cursor, oldest_first=where.oldest_first)
        every = set(where.all_of)
        items: list[T] = []
        for place in self._places(where, start):
            item = self._items[place[1]]
            if not every <= set(item.terms):
                continue
            if len(items) == limit and items:
                return Page(tuple(items), paging.cursor(items[-1].sort, items[-1].number))
            items.append(item)
        return Page(tuple(items), None)

    def _places(self, where: Listing, start: _Place) -> Iterator[_Place]:
        """Yield the places that `any_of` and the bounds leave, each once."""
        if where.any_of is not None:
            lists = [self._list(where.kind, term) for term in dict.fromkeys(where.any_of)]
        else:
            lists = [min((self._list(where.kind, term) for term in (None, *where.all_of)), key=len)]
        parts = [_part(places, where, start) for places in lists]
        if len(parts) == 1:
            return iter(parts[0])
        return (place for place, _ in groupby(merge(*parts, reverse=not where.oldest_first)))

    def _list(self, kind: str, term: str | None) -> list[_Place]:
        return self._lists.get((kind, term), [])

    def _add(self, item: T, term: str | None) -> None:
        insort(self._lists.setdefault((item.kind, term), []), (item.sort, item.number))

    def _drop(self, item: T, term: str | None) -> None:
        places = self._lists[item.kind, term]
        del places[bisect_left(places, (item.sort, item.number))]
        if not places:
            del self._lists[item.kind, term]


def _part(places: list[_Place], where: Listing, start: _Place) -> Iterable[_Place]:
    """Return the places within the bounds, from `start` on, in the order of the listing."""
    first = 0 if where.after is None else bisect_left(places, (where.after + 1, 0))
    end = len(places) if where.before is None else bisect_left(places, (where.before, 0))
    if where.oldest_first:
        first = max(first, bisect_right(places, start))
        return (places[at] for at in range(first, end))
    end = min(end, bisect_left(places, start))
    return (places[at] for at in range(end - 1, first - 1, -1))
