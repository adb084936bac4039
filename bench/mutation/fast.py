"""A plugin of pytest that tries many mutants in one session: tests are collected once, and each mutant gets a fork of it.

In the fork the code of a function, or the value of a constant wherever it was imported, is replaced in memory. What cannot
be replaced so (classes), and what nobody noticed although others may hold what was made of a constant, is for `trying`.
"""
from __future__ import annotations

import ast
import functools
import gc
import importlib
import os
import signal
import sys
import time
import traceback
import types
from collections.abc import Callable
from datetime import timedelta

import pytest

from bench.mutation.mutants import Mutant, shape_without
from bench.mutation.waiting import exit_code

# The exit code of a fork in which the change could not be made.
NOT_CHANGED = 70
# s, and times what the unbroken tests take.
LEAST_S, TIMES = 20.0, 6
DATA = (str, int, float, tuple, frozenset, dict, set, list, timedelta)


class Forks:
    """mutants: to try, of one module with this source. report: called with each and "killed", "survived" or "unknown"."""

    def __init__(self, mutants: list[Mutant], source: str, report: Callable[[Mutant, str], None]) -> None:
        self.mutants, self.source, self.report = mutants, source, report
        self.limit_s = 600.0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of pytest's own."""
        if session.testsfailed:
            raise session.Interrupted("the tests cannot be collected")
        gc.freeze()
        module, began = self.mutants[0].module, time.monotonic()
        if self._noticed(session, lambda: None) != "survived":
            raise session.Failed("the tests fail unbroken")
        # A mutant that never ends is noticed too.
        self.limit_s = max(LEAST_S, TIMES * (time.monotonic() - began))
        same = self._noticed(session, lambda: _swap_constants(module, self.source)) == "survived"
        around = functools.cache(functools.partial(shape_without, self.source))
        for mutant in self.mutants:
            if around(mutant.at) == shape_without(mutant.code, mutant.at):
                self.report(mutant, self._noticed(session, lambda one=mutant: _swap_function(one)))
            elif same and mutant.is_constant:
                found = self._noticed(session, lambda one=mutant: _swap_constants(one.module, one.code))
                # Others may hold what was made of the constant.
                self.report(mutant, "killed" if found == "killed" else "unknown")
            else:
                self.report(mutant, "unknown")
        return True

    def _noticed(self, session: pytest.Session, change: Callable[[], None]) -> str:
        child = os.fork()
        if not child:
            _run(session, change)
        return {0: "survived", NOT_CHANGED: "unknown"}.get(exit_code(child, self.limit_s), "killed")


def _run(session: pytest.Session, change: Callable[[], None]) -> None:
    """The fork: never returns."""
    code = NOT_CHANGED
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        change()
        code = 1
        for index, item in enumerate(session.items):
            following = session.items[index + 1] if index + 1 < len(session.items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                break
        else:
            code = 0
    except BaseException:  # noqa: BLE001  a mutant that breaks the session is noticed
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _swap_function(mutant: Mutant) -> None:
    """Give the function its new code; everybody who imported it has the same function."""
    found, path = importlib.import_module(mutant.module), []
    for name in mutant.at.split("."):
        if isinstance(found, types.ModuleType | type):  # and no deeper: a function's code holds that of those inside it
            found = found.__dict__[name]
            path.append(name)
    while not isinstance(found, types.FunctionType):
        inside = ("__wrapped__", "__func__", "fget", "func")
        inner = next((getattr(found, name) for name in inside if hasattr(found, name)), None)
        if inner is None:
            raise LookupError(mutant.at)
        found = inner
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    found.__code__ = _code(compile(mutant.code, found.__code__.co_filename, "exec"), ".".join(path))


def _code(code: types.CodeType, name: str) -> types.CodeType:
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            if one.co_qualname == name:
                return one
            if name.startswith(one.co_qualname + "."):
                return _code(one, name)
    raise LookupError(name)


def _swap_constants(module: str, code: str) -> None:
    """Put the constants that this source makes in the place of those that the module made, in all modules."""
    real = importlib.import_module(module)
    body = [node for node in ast.parse(code).body if isinstance(node, ast.Assign | ast.AnnAssign)]
    fresh = dict(real.__dict__)
    exec(compile(ast.Module(body, []), real.__file__, "exec"), fresh)  # noqa: S102  our own source, one edit apart
    for name in _assigned(body):
        old, new = real.__dict__.get(name), fresh.get(name)
        if not isinstance(old, DATA) or type(old) is not type(new) or old == new:
            continue
        if isinstance(old, dict | set | list):
            old.clear()
            old.extend(new) if isinstance(old, list) else old.update(new)
            continue
        for other in list(sys.modules.values()):
            for theirs, value in list(getattr(other, "__dict__", {}).items()):
                if theirs == name and value is old:
                    other.__dict__[theirs] = new


def _assigned(body: list[ast.stmt]) -> list[str]:
    return [target.id for node in body
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)]  # fmt: skip
