"""The steps of the tutorial, as its page shows them."""

from __future__ import annotations

import re
import shlex
from typing import Final

from tests.packaging.installed import ROOT

PAGE: Final = (ROOT / "docs" / "tutorials" / "approval-ui-in-five-minutes.md").read_text()

[PROGRAM] = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

COMMANDS: Final = [shlex.split(line) for line in re.findall(r"^\$ (signoff .*)$", PAGE, re.MULTILINE)]
"""`dev`, `start`, and the `start` that waits."""

INBOX, OPERATOR = re.findall(r"<http://127\.0\.0\.1:4437(/console/[^>]*)>", PAGE)

[TITLE] = re.findall(r"^\*(Pay .*\?)\*", PAGE, re.MULTILINE)

[PRINTED] = re.findall(r"--wait\n(.*)$", PAGE, re.MULTILINE)
