"""Find an application by `MODULE:APP`, and say plainly why it cannot be found."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path

import signoff
from signoff.cli.misuse import Misuse
from signoff.workflow.definition import App

_NOT_THEIRS = (f"{Path(signoff.__file__).parent}{os.sep}", importlib.__file__, "<frozen importlib")
"""Where files begin whose lines tell nobody what to mend: this package, and what imports."""


def load_app(where: str) -> App:
    """Import the application; the working folder is on the path.

    Args:
        where: `package.module:name`, or `folder/file.py:name`; of a file, its folder is on the path too.

    Raises:
        Misuse: there is no such module or name, it is not an `App`, or importing it failed.
    """
    module_name, colon, name = where.rpartition(":")
    if not colon or not module_name or not name.isidentifier():
        raise Misuse(f"{where!r} does not read MODULE:APP, such as workflow:app (or ./workflow.py:app).")
    here = str(Path.cwd())
    if module_name.endswith(".py") or "/" in module_name or "\\" in module_name:
        module_name, here = _of_file(Path(module_name))
    if here not in sys.path:
        sys.path.insert(0, here)
    module = _import(module_name, here)
    if not hasattr(module, name):
        apps = [key for key, value in vars(module).items() if isinstance(value, App)]
        hint = f"; it has {', '.join(f'{module_name}:{app}' for app in apps)}" if apps else ""
        raise Misuse(f"The module {module_name!r} has no {name!r}{hint}.")
    app = getattr(module, name)
    if not isinstance(app, App):
        raise Misuse(f"{where!r} is a {type(app).__name__}, not a signoff.App.")
    return app


def _of_file(path: Path) -> tuple[str, str]:
    """Return the module a file is, and the folder it is found in: the one above its outermost package."""
    if not path.is_file():
        raise Misuse(f"There is no file {path}. Write MODULE:APP, such as workflow:app, or a file, ./workflow.py:app.")
    path = path.resolve()
    names, folder = [path.stem], path.parent
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise Misuse(f"{path.name} cannot be imported: its name must be an identifier and end in .py.")
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    if names[-1] == "__init__":
        names.pop()
    return ".".join(names), str(folder)


def _import(name: str, here: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise Misuse(f"There is no module {name!r} in {here} or on the Python path.") from error
        raise Misuse(f"The module {name!r} needs {error.name!r}, which is not installed.") from error
    except (Exception, SystemExit) as error:
        raise Misuse(
            f"The module {name!r} cannot be imported: {type(error).__name__}: {error}{_place(error)}."
        ) from error


def _place(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return ""  # it names the place itself, and was raised in Python's own import
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [one for one in frames if not one.filename.startswith(_NOT_THEIRS)]
    frame = (theirs or frames)[-1]  # what a decorator of ours refuses stands where it is used
    return f" ({frame.filename}, line {frame.lineno})"
