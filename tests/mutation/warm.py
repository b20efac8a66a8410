"""One process for many mutants: everything is loaded once, and a mutant's code takes the place of a module's.

`python -m tests.mutation.warm TESTS...` reads one mutant a line, and writes what came of it. Loading costs some
seconds, a mutant only tests that run its function, those first that found most for their seconds.
"""

import ast
import json
import os
import resource
import shutil
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.mutation.mutants import ROOT, places

SECONDS = 60
"""Most processor time that the tests of one mutant may take; one that lives on until then counts as a survivor."""

_SUPPOSED = {False: 0.5, True: 3.0}
"""Seconds of a test that never ran, and of one with random examples or that plays nights."""


class Warm:
    """Plays the tests of a session again and again instead of once.

    Attributes:
        seconds: what each test took that ran to its end.
        reached: which functions of a module it ran then.
    """

    def __init__(self, asked, told):
        self.asked, self.told = asked, told
        self.failed = False
        self.seconds, self.reached, self.kills = {}, {}, Counter()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self):
        from hypothesis import Phase, settings  # noqa: PLC0415 - pytest wants to load it first

        # A failing example says enough as it is found.
        settings.register_profile("mutants", settings(), phases=[Phase.explicit, Phase.generate])
        settings.load_profile("mutants")

    def pytest_runtest_logreport(self, report):
        self.failed = self.failed or report.failed

    def pytest_runtestloop(self, session):
        items = list(session.items)
        for line in self.asked:
            print(self._judged(items, json.loads(line)), file=self.told, flush=True)
        return True

    def _judged(self, items, mutant):
        module, function = mutant["module"], mutant["function"]
        chosen = [one for one in items if function in self.reached.get((one.nodeid, module), {function})]
        chosen.sort(key=lambda item: -self._worth(item, module, function))
        begun = _spent()
        with Replaced(mutant) as replaced:
            for at, item in enumerate(chosen):
                if _spent() - begun > SECONDS:
                    return f"SURVIVES {at} of {len(chosen)} tests, all that there was time for"
                replaced.forget()
                since = _spent()
                if not self._passes(item):
                    break
                self.seconds[item.nodeid] = _spent() - since
                self.reached[item.nodeid, module] = {"", *replaced.reached}
            else:
                return f"SURVIVES {len(chosen)} tests"
        if not self._passes(item):
            items.remove(item)
            return f"{item.nodeid} fails without the mutant too; " + self._judged(items, mutant)
        self.kills.update([(item.nodeid, module), (item.nodeid, function)])
        return f"killed by {item.nodeid} in {_spent() - begun:.1f} s"

    def _passes(self, item):
        self.failed = False
        item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
        return not self.failed

    def _worth(self, item, module, function):
        supposed = _SUPPOSED[hasattr(getattr(item, "obj", None), "hypothesis") or "world" in item.fixturenames]
        found = self.kills[item.nodeid, module] + 3 * self.kills[item.nodeid, function] + 0.1
        return found / (self.seconds.get(item.nodeid, supposed) + 0.02)


class Replaced:
    """While it lasts, the mutant's code runs in place of the module's, here and in processes started from here."""

    def __init__(self, mutant):
        self.module = import_module(mutant["module"].removesuffix(".py").replace("/", "."))
        self.place = Path(os.environ["PYTHONPATH"].split(os.pathsep)[0]) / mutant["module"]
        self.source, self.function = mutant["source"], mutant["function"]

    def __enter__(self):
        self.whole = self.place.read_text(encoding="utf-8")
        self.place.write_text(self.source, encoding="utf-8")
        self.reached = set()
        self.module._reached_ = self.reached.add
        code = compile(_telling(self.source), self.module.__file__, "exec", dont_inherit=True)
        found = dict(_codes(code))
        self.undo = [] if self.function else _exchange_values(self.module, code)
        for function in list(_functions(vars(self.module), self.module.__name__)):
            self.undo.append((function, "__code__", function.__code__))
            function.__code__ = found[function.__code__.co_qualname]
        return self

    def __exit__(self, *_):
        for owner, name, value in self.undo:
            setattr(owner, name, value)
        self.forget()
        self.place.write_text(self.whole, encoding="utf-8")

    def forget(self):
        """What was run, and what functions that remember their results have kept of other code."""
        self.reached.clear()
        for value in vars(self.module).values():
            getattr(value, "cache_clear", lambda: None)()


def _telling(source):
    """The module, each outermost function of which tells that it was run."""
    tree = ast.parse(source)
    for function, node in list(places(tree)):
        if isinstance(node, ast.FunctionDef) and node.name == function.rpartition(".")[2] and node.body:
            node.body.insert(1 if ast.get_docstring(node) else 0, ast.parse(f"_reached_({function!r})").body[0])
    return ast.fix_missing_locations(tree)


def _exchange_values(module, code):
    """Replace what a module holds beside functions and classes, wherever it was imported; returns how to undo it."""
    mutated = {"__name__": module.__name__, "__file__": module.__file__}
    exec(code, mutated)  # noqa: S102 - the project's own code, with a mistake
    changed = {
        name: value
        for name, value in vars(module).items()
        if name in mutated and not callable(value) and not name.startswith("__") and repr(value) != repr(mutated[name])
    }
    undo = [
        (holder, name, value)
        for holder in list(sys.modules.values())
        for name, value in changed.items()
        if getattr(holder, "__name__", "").startswith("pipeline") and vars(holder).get(name) is value
    ]
    for holder, name, _ in undo:
        setattr(holder, name, mutated[name])
    return undo


def _codes(code):
    """Every function's code below a module's, by its qualified name."""
    for inner in code.co_consts:
        if hasattr(inner, "co_code"):
            yield inner.co_qualname, inner
            yield from _codes(inner)


def _functions(names, module):
    """The functions and methods that a module defines."""
    for held in names.values():
        value = getattr(held, "__wrapped__", held)
        value = getattr(value, "fget", None) or getattr(value, "__func__", value)
        if isinstance(value, type) and value.__module__ == module:
            yield from _functions(vars(value), module)
        # What a decorator made (a dataclass's own methods) is written nowhere.
        elif getattr(getattr(value, "__code__", None), "co_filename", "") == sys.modules[module].__file__:
            yield value


def _spent():
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def main():
    own, silence = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    options = ["-q", "-s", "-n", "0", "-p", "no:cacheprovider", "-o", "tmp_path_retention_policy=none"]
    options.append("--alone")  # a night that tests share would be played once, with the first mutant
    with os.fdopen(own, "w", encoding="utf-8") as told, TemporaryDirectory() as copy:
        for package in ("pipeline", "schemas"):
            shutil.copytree(ROOT / package, Path(copy) / package)
        # Processes that tests start read the mutant from here.
        os.environ["PYTHONPATH"] = os.pathsep.join((copy, str(ROOT)))
        pytest.main([*options, *sys.argv[1:]], plugins=[Warm(sys.stdin, told)])


if __name__ == "__main__":
    main()
