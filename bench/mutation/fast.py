"""A plugin of pytest that tries many mutants in one session: tests are collected once, and each mutant gets a fork of it.

In the fork the code of a function, or the value of a constant wherever it was imported, is replaced in memory, and the tests
that call the function run first. What cannot be replaced so (classes, what runs when the module is imported), and what nobody
noticed although others may hold what was made of a constant, is for `trying`.
"""
from __future__ import annotations

import ast
import functools
import gc
import importlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
import types
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from django.conf import settings

from bench.mutation.mutants import Mutant, shape_without
from bench.mutation.waiting import exit_code

# The exit code of a fork in which the change could not be made.
NOT_CHANGED = 70
# A mutant that never ends is noticed too. s for all tests and for one, and times what the unbroken ones take.
LEAST_S, TEST_S, TIMES = 10.0, 4.0, 6
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
        importlib.import_module(settings.ROOT_URLCONF)  # else each fork imports all pages
        gc.freeze()
        module, began = self.mutants[0].module, time.monotonic()
        with tempfile.NamedTemporaryFile("r") as calls:
            if self._noticed(session.items, session, lambda: None, calls.name) != "survived":
                raise session.Failed("the tests fail unbroken")
            recorded = json.load(calls)
        for item, (seconds, _) in zip(session.items, recorded, strict=True):
            item.add_marker(pytest.mark.timeout(TEST_S + TIMES * seconds))
        self.limit_s = max(LEAST_S, TIMES * (time.monotonic() - began))
        same = any(one.is_constant for one in self.mutants) and (
            self._noticed(session.items, session, lambda: _swap_constants(module, self.source)) == "survived")
        around = functools.cache(functools.partial(shape_without, self.source))
        for mutant in self.mutants:
            if around(mutant.at) == shape_without(mutant.code, mutant.at):
                calling = {item for item, (_, names) in zip(session.items, recorded, strict=True)
                           if any(f"{mutant.at}.".startswith(f"{name}.") for name in names)}  # fmt: skip
                # Those that call it are likely to notice; the others may use what it made, and transactions stay last.
                items = sorted(session.items, key=lambda item: (_flushes(item), item not in calling))
                # What no test calls is called when the module is imported, if at all.
                found = self._noticed(items, session, lambda one=mutant: _swap_function(one)) if calling else "unknown"
                self.report(mutant, found)
            elif same and mutant.is_constant:
                found = self._noticed(session.items, session, lambda one=mutant: _swap_constants(one.module, one.code))
                # Others may hold what was made of the constant.
                self.report(mutant, "killed" if found == "killed" else "unknown")
            else:
                self.report(mutant, "unknown")
        return True

    def _noticed(self, items: list, session: pytest.Session, change: Callable[[], None], calls: str = "") -> str:
        """What these tests say of that change. calls: a file to write the names of the module's functions that each calls."""
        child = os.fork()
        if not child:
            _run(items, session, change, _Calls(self.mutants[0].module, calls) if calls else None)
        return {0: "survived", NOT_CHANGED: "unknown"}.get(exit_code(child, self.limit_s), "killed")


def _flushes(item: pytest.Item) -> bool:
    """Whether the test empties the database at its end, so that it must run after those that use rows of the migrations."""
    mark = item.get_closest_marker("django_db")
    return bool(mark and mark.kwargs.get("transaction")) or "transactional_db" in item.fixturenames


class NotImported(Exception):
    """The broken module cannot be imported."""


class _Calls:
    """Which functions of a module each test calls, in whatever thread, and how long it takes."""

    def __init__(self, module: str, file: str) -> None:
        self.path, self.file = importlib.import_module(module).__file__, file
        self.found, self.began = [], []
        sys.setprofile(self._note)
        threading.setprofile(self._note)

    def _note(self, frame: types.FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename == self.path:
            self.found[-1].add(frame.f_code.co_qualname.replace(".<locals>", ""))

    def write(self) -> None:
        """Stop, and write [[seconds, [name]]], one for each test."""
        sys.setprofile(None)
        spent = (later - earlier for earlier, later in pairwise([*self.began, time.monotonic()]))
        Path(self.file).write_text(json.dumps([[time_s, sorted(names)] for time_s, names in zip(spent, self.found, strict=True)]))

    def next(self) -> None:
        """Another test begins."""
        self.began.append(time.monotonic())
        self.found.append(set())


def _run(items: list, session: pytest.Session, change: Callable[[], None], calls: _Calls | None) -> None:
    """The fork: never returns."""
    code = NOT_CHANGED
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        change()
        code = 1
        for index, item in enumerate(items):
            if calls:
                calls.next()
            following = items[index + 1] if index + 1 < len(items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                break
        else:
            code = 0
            if calls:
                calls.write()
    except NotImported:
        code = 1
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
    try:
        exec(compile(ast.Module(body, []), real.__file__, "exec"), fresh)  # noqa: S102  our own source, one edit apart
    except Exception as broken:
        raise NotImported from broken
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
