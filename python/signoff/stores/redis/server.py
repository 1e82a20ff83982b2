"""The server as it is set up: what it would lose, and whether we may begin at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

from signoff.errors import SchemaTooNew, StoreError
from signoff.stores.redis.link import RefusedReply, ServerLink
from signoff.stores.redis.options import NodeAddress, Options
from signoff.stores.redis.shards import Shards

SCHEMA: Final = 1
"""The version of how data is kept."""

Survives = Literal["power", "process", "nothing"]
_WORST: Final[tuple[Survives, ...]] = ("nothing", "process", "power")


@dataclass(frozen=True, slots=True)
class ServerState:
    """What a server says of itself; None: it does not tell.

    Attributes:
        aof: whether it keeps an append-only file.
        fsync: when that is synced: `always`, `everysec` or `no`.
        eviction: what goes when the memory is full.
        version: e.g. (7, 2, 4).
    """

    address: NodeAddress
    aof: bool
    fsync: str | None
    eviction: str | None
    version: tuple[int, ...]

    @property
    def survives(self) -> Survives:
        """Return what a write outlives."""
        if not self.aof:
            return "nothing"
        return "power" if self.fsync == "always" else "process"


async def look(link: ServerLink) -> ServerState:
    """Ask a server how it is set up."""
    about = _lines(await link.call("INFO", "server")) | _lines(await link.call("INFO", "persistence"))
    about |= _lines(await link.call("INFO", "memory"))
    version = tuple(int(part) for part in about.get("redis_version", "0").split("."))
    return ServerState(
        link.address,
        about.get("aof_enabled") == "1",
        await _setting(link, "appendfsync"),
        about.get("maxmemory_policy"),
        version,
    )


async def _setting(link: ServerLink, name: str) -> str | None:
    try:
        found = await link.call("CONFIG", "GET", name)
    except RefusedReply:  # a managed server does not tell
        return None
    return found[1].decode() if found else None


def _lines(text: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.decode().splitlines())
    return {name: value for name, colon, value in pairs if colon}


def faults(state: ServerState, options: Options) -> list[str]:
    """Tell why data would not be safe on a server; nothing: it would."""
    found = []
    if options.durability != "none":
        if not state.aof:
            found.append(
                f"Redis at {state.address} keeps no append-only file, so a restart would lose what was committed. "
                "Set it: CONFIG SET appendonly yes, and CONFIG REWRITE to keep it so; or say durability=none in the "
                "URL if that may be lost."
            )
        if state.eviction not in (None, "noeviction"):
            found.append(
                f"Redis at {state.address} drops keys when its memory is full (maxmemory-policy {state.eviction}), "
                "and they would be committed data. Set it: CONFIG SET maxmemory-policy noeviction, and CONFIG REWRITE "
                "to keep it so; or say durability=none in the URL if that may be lost."
            )
    if state.version < (6, 2):
        found.append(f"Redis at {state.address} is older than 6.2; Signoff needs 6.2 or newer.")
    if options.durability == "wait" and state.version < (7, 2):
        found.append(
            f"Redis at {state.address} is older than 7.2 and has no WAITAOF, which durability=wait needs. "
            "Use durability=aof with CONFIG SET appendfsync always, or a newer server."
        )
    if options.durability == "wait" and state.fsync == "no":
        found.append(
            f"Redis at {state.address} leaves it to the system when its file is synced (appendfsync no), so "
            "durability=wait would wait in vain. Set it: CONFIG SET appendfsync always, and CONFIG REWRITE to keep it "
            "so."
        )
    return found


async def look_at_all(shards: Shards) -> list[ServerState]:
    """Ask all servers that have a shard how they are set up."""
    return [await look(await shards.nodes.at(address)) for address in shards.nodes.addresses]


async def find_faults(shards: Shards, options: Options) -> list[str]:
    """Tell why data would not be safe on the servers as they are set up now."""
    return [fault for state in await look_at_all(shards) for fault in faults(state, options)]


def survives(states: list[ServerState], options: Options) -> Survives:
    """Return what a commit outlives wherever it is."""
    if options.durability == "wait":
        return "power"
    return min((state.survives for state in states), key=_WORST.index)


async def begin(shards: Shards, options: Options) -> list[ServerState]:
    """See that data is safe on the servers and of a version we know; write down ours where there is none.

    Raises:
        StoreError: a server would lose data.
        SchemaTooNew: a newer version of Signoff wrote the data.
    """
    states = await look_at_all(shards)
    if found := [fault for state in states for fault in faults(state, options)]:
        raise StoreError(found[0])
    await write_schema(options)(shards)
    await shards.identify()
    return states


async def schemas(shards: Shards) -> list[int]:
    """Return the version of each shard's data; 0: it has none yet."""
    return [int(await shards.nodes.ask(shard, "GET", keys.schema) or 0) for shard, keys in enumerate(shards.keys)]


def write_schema(options: Options) -> Callable[[Shards], Awaitable[None]]:
    """Return what writes down the version of the data where there is none.

    Raises (when it does):
        SchemaTooNew: a newer version of Signoff wrote the data.
        StoreError: it is in another number of shards.
    """

    async def write(shards: Shards) -> None:
        known = max(await schemas(shards))
        if known > SCHEMA:
            raise SchemaTooNew(
                f"The data under the prefix {options.prefix!r} was written by a newer version of Signoff (schema "
                f"{known}, this one knows {SCHEMA}); nothing was changed. Install the newer version."
            )
        for shard, keys in enumerate(shards.keys):
            made_with = await shards.nodes.ask(shard, "HGET", keys.meta, "shards")
            if made_with is not None and int(made_with) != len(shards.keys):
                raise StoreError(
                    f"The data under the prefix {options.prefix!r} is in {int(made_with)} shards, and the URL says "
                    f"{len(shards.keys)}; nothing was changed. Write shards={int(made_with)}, or move the data."
                )
        for shard, keys in enumerate(shards.keys):
            await shards.nodes.ask(shard, "SETNX", keys.schema, SCHEMA)
            await shards.nodes.ask(shard, "HSETNX", keys.meta, "shards", len(shards.keys))

    return write
