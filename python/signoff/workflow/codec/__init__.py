"""How Python values become JSON and come back: the same value, or a clear refusal.

`kinds.py` has the table of what JSON cannot say, `records.py` knows classes with members (models, dataclasses, enums,
named tuples), `writing.py` and `reading.py` go over a value, `types.py` asks pydantic about a declared type,
`recording.py` makes sure at write time that a value comes back, `comparing.py` tells whether it does, and `showing.py`
says how all that looks to people. The protocol's section 13 is about the same. Never here: a journal, an entry's place.
"""

from signoff.workflow.codec.concealing import conceal, leave_out
from signoff.workflow.codec.digest import canonical, digest, digest_of
from signoff.workflow.codec.kinds import TAG
from signoff.workflow.codec.reading import decode, receive
from signoff.workflow.codec.recording import check_fit, encode_as, encode_read
from signoff.workflow.codec.showing import public_json, shown, shown_apart
from signoff.workflow.codec.types import adapter, check, pointers
from signoff.workflow.codec.writing import encode
from signoff.workflow.entry import Encoded

__all__ = [
    "TAG",
    "Encoded",
    "adapter",
    "canonical",
    "check",
    "check_fit",
    "conceal",
    "decode",
    "digest",
    "digest_of",
    "encode",
    "encode_as",
    "encode_read",
    "leave_out",
    "pointers",
    "public_json",
    "receive",
    "shown",
    "shown_apart",
]
