"""Finds the Router, or the Application, that `MODULE:ATTR` names.

Owns: the reading of MODULE:ATTR, the import of the user's module, and the words for all that can go wrong with it.
Knows: what a Router is, and errors.
Never: starts anything, or lets an exception of the user's module out as anything but a ConfigError.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from types import ModuleType
from typing import Final

from tinybeam.errors import ConfigError
from tinybeam.process import Application
from tinybeam.router import Router

ATTR_DEFAULT: Final = "router"

# Frames without a file (the import system's, generated code) and those of Tinybeam are no place that a user can mend;
# the one above them is.
_TINYBEAM: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_NOT_THEIRS: Final = ("<", importlib.__file__, os.path.join(_TINYBEAM, ""))


def load_app(target: str, app_dir: str | os.PathLike[str]) -> Router | Application:
    """Imports MODULE, looked for in `app_dir` first, and returns its ATTR; `router` when only a MODULE is given.

    ATTR may be dotted. `app_dir` stays first on `sys.path`, because handlers too may import. Raises ConfigError: one
    line that says what to write, or which import failed and where; the module's own exception is its `__cause__`.
    """
    module_name, attr = split_target(target)
    directory = os.path.abspath(app_dir)
    if sys.path[:1] != [directory]:
        sys.path.insert(0, directory)
    module = _import(module_name, directory)
    found: object = module
    for name in attr.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise ConfigError(_no_attribute(module, attr)) from None
    if isinstance(found, Router | Application):
        return found
    if isinstance(found, type) and issubclass(found, Router | Application):
        raise ConfigError(f"{target} is the class {found.__name__}; name one that was made: {found.__name__}()")
    raise ConfigError(f"{target} is a {type(found).__name__}, not a Router or an Application{_suggestion(module)}")


def split_target(target: str) -> tuple[str, str]:
    """Takes MODULE:ATTR apart; raises ConfigError when it is not of that form.

    >>> split_target("shop.web:admin.router")
    ('shop.web', 'admin.router')
    >>> split_target("hello")
    ('hello', 'router')
    """
    module_name, colon, attr = target.partition(":")
    path, extension = os.path.splitext(module_name)
    if extension == ".py" or "/" in module_name or os.sep in module_name:
        parts = [part for part in os.path.normpath(path).split(os.sep) if part]
        dotted = ".".join(part for part in parts if part not in (os.curdir, os.pardir))
        raise ConfigError(
            f"{target} looks like a file; name the module instead: {dotted}:{attr or ATTR_DEFAULT}"
            " (and --app-dir, when it is not below the current directory)"
        )
    if not colon:
        attr = ATTR_DEFAULT
    if not all(name.isidentifier() for name in [*module_name.split("."), *attr.split(".")]):
        raise ConfigError(f"{target!r} is not of the form MODULE:ATTR; write for example hello:{ATTR_DEFAULT}")
    return module_name, attr


def _import(module_name: str, directory: str) -> ModuleType:
    """Imports the user's module; whatever it raises becomes a ConfigError that says where it was raised."""
    try:
        return importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        place = _place(error)
        if isinstance(error, ModuleNotFoundError) and not place and f"{module_name}.".startswith(f"{error.name}."):
            raise ConfigError(
                f"there is no module {error.name!r} in {directory} or elsewhere on the import path;"
                " use --app-dir to name the directory that it is in"
            ) from error
        words = {SystemExit: "it called sys.exit()", SyntaxError: "SyntaxError"}.get(type(error), type(error).__name__)
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        told = f"{words}: {message}" if message else words
        raise ConfigError(f"cannot import {module_name}: {place}{told}") from error


def _place(error: BaseException) -> str:
    """Says "file:line: " of the statement that raised, or "" when no line of a module was run."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: "
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_NOT_THEIRS)
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""


def _no_attribute(module: ModuleType, attr: str) -> str:
    """Says which module was found, since it may not be the one that was meant, and what it has to offer."""
    file = getattr(module, "__file__", None) or "built-in"
    return f"the module {module.__name__} ({file}) has no attribute {attr!r}{_suggestion(module)}"


def _suggestion(module: ModuleType) -> str:
    """Names the Routers that the module does have."""
    names = [name for name, value in vars(module).items() if isinstance(value, Router | Application)]
    if not names:
        return f"; make one in it: {ATTR_DEFAULT} = Router()"
    return "; did you mean " + " or ".join(f"{module.__name__}:{name}" for name in names) + "?"
