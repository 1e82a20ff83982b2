"""How patches look from outside: nobody sees them."""

from __future__ import annotations

from signoff.workflow.patch.entries import PatchMarked
from signoff.workflow.projector import Folds, no_rows

FOLDS: Folds = {PatchMarked: no_rows}
