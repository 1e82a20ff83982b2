"""What denials mean to the code: nothing. They are among the remarks on a run, which replay passes over."""

from __future__ import annotations

from signoff.workflow.offer import Feeds

FEEDS: Feeds = {}
