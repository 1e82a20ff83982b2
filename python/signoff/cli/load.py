"""Find an application by `MODULE:APP`, and say plainly why it cannot be found."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path

from signoff.cli.misuse import Misuse
from signoff.workflow.definition import App


def load_app(where: str) -> App:
    """Import the application; the working folder is on the path.

    Args:
        where: `package.module:name`.

    Raises:
        Misuse: there is no such module or name, it is not an `App`, or importing it failed.
    """
    module_name, colon, name = where.partition(":")
    if not colon or not module_name or not name.isidentifier():
        raise Misuse(f"{where!r} does not read MODULE:APP, such as workflow:app.")
    here = str(Path.cwd())
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


def _import(name: str, here: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise Misuse(f"There is no module {name!r} in {here} or on the Python path.") from error
        raise Misuse(f"The module {name!r} needs {error.name!r}, which is not installed.") from error
    except (Exception, SystemExit) as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        raise Misuse(
            f"The module {name!r} cannot be imported: {type(error).__name__}: {error} "
            f"({frame.filename}, line {frame.lineno})."
        ) from error
