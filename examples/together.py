"""The workflows of all examples in one application, as `make demo` serves them.

signoff dev examples/together.py:app
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from signoff import App

app = App()

for folder, module in {"react-approval": "workflow", "onboarding": "onboarding", "agent": "agent"}.items():
    sys.path.append(str(Path(__file__).resolve().parent / folder))
    app.include(importlib.import_module(module).app)
