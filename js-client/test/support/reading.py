"""Read what was filled in, as the page without scripts does: forms and their controls in, values out, as JSON."""

from __future__ import annotations

import json
import sys

from signoff.server.forms.reading import read_form

json.dump([read_form(case["form"], case["filled"]) for case in json.load(sys.stdin)], sys.stdout)
