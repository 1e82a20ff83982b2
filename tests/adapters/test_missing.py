"""An adapter whose framework is not installed says what to install."""

from __future__ import annotations

import json
import subprocess
import sys

EXTRAS = {
    "ag-ui": ("signoff.client.ag_ui", ["ag_ui"]),
    "langchain": ("signoff.adapters.langchain", ["langsmith", "langchain", "langgraph", "langchain_core"]),
    "openai-agents": ("signoff.adapters.openai_agents", ["agents", "openai"]),
    "pydantic-ai": ("signoff.adapters.pydantic_ai", ["pydantic_ai", "pydantic_graph"]),
}

LOOKS = """
import importlib, json, sys

class Missing:
    package = ""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == self.package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

missing = Missing()
sys.meta_path.insert(0, missing)
for extra, (module, packages) in json.loads(sys.argv[1]).items():
    for missing.package in packages:
        try:
            importlib.import_module(module)
        except ImportError as error:
            print(json.dumps([extra, missing.package, str(error)]))
"""


def test_each_adapter_names_its_extra_whatever_is_missing_of_it() -> None:
    looked = subprocess.run(
        [sys.executable, "-c", LOOKS, json.dumps(EXTRAS)], capture_output=True, text=True, check=True, timeout=120
    )
    told = [json.loads(line) for line in looked.stdout.splitlines()]
    expected = [(extra, package) for extra, (_, packages) in EXTRAS.items() for package in packages]
    assert [(extra, package) for extra, package, _ in told] == expected
    for extra, package, error in told:
        assert error.startswith(f"{EXTRAS[extra][0]} needs "), package
        assert error.endswith(f"pip install 'signoff[{extra}]'"), package
