"""Whether the tests notice mistakes where a mistake would be unforgivable. Takes an hour for all of them."""

import json
import os
import random
import subprocess
import sys
import threading
from dataclasses import asdict

import pytest

from tests.mutation.equivalent import EQUIVALENT
from tests.mutation.mutants import ROOT, TARGETS, TESTS, mutants

pytestmark = pytest.mark.long

_SECONDS = 900
"""A mutant that nothing is heard of for so long never ends, which any test run notices."""
_LEAST_KILLED = 0.9


def judged(tests, chosen):
    """What came of mutants, in order, by these tests."""
    left = list(chosen)
    while left:
        command = [sys.executable, "-m", "tests.mutation.warm", *tests]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "CI": "true"}
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as warm:
            while left:
                warm.stdin.write(json.dumps(asdict(left[0])) + "\n")
                warm.stdin.flush()
                watch = threading.Timer(_SECONDS, warm.kill)
                watch.start()
                said = warm.stdout.readline().strip()
                watch.cancel()
                yield left.pop(0), said or "killed: the process ended, or never would"
                if not said:
                    break
            warm.stdin.close()


def why_alive(mutant):
    """Why a mutant changes nothing that any test could see; None where nobody knows."""
    for told, text, why in EQUIVALENT.get((mutant.module, mutant.function), ()):
        if mutant.told == told and text in mutant.text:
            return why
    return None


def test_mutants_are_killed(request, capsys):
    most, seed, part = (request.config.getoption(name) for name in ("--mutants", "--seed", "--of"))
    all_of_them = [mutant for module in TARGETS if part in module for mutant in mutants(module)]
    chosen = random.Random(seed).sample(all_of_them, min(most, len(all_of_them)))
    assert chosen, "no module is called so"
    alive, unexplained = [], []
    with capsys.disabled():
        for room, tests in TESTS.items():
            for mutant, said in judged(tests, [one for one in chosen if TARGETS[one.module] == room]):
                told, why = f"{mutant.module}:{mutant.line} {mutant.told}", ""
                if "SURVIVES" in said:
                    why = f" ({why_alive(mutant) or 'nobody knows why'})"
                    alive.append(told)
                    unexplained += [] if why_alive(mutant) else [told]
                print(f"{told}: {said}{why}", flush=True)
        killed, unseen = len(chosen) - len(alive), len(unexplained)
        told = f"{killed} of {len(chosen)} mutants killed, {len(alive) - unseen} change nothing, {unseen} not seen"
        print(f"{told}; there are {len(all_of_them)}")
    assert len(alive) <= (1 - _LEAST_KILLED) * len(chosen), unexplained


def test_what_is_said_to_change_nothing_is_still_there():
    there = [(mutant.module, mutant.function, mutant.told, mutant.text) for one in TARGETS for mutant in mutants(one)]
    gone = [
        (module, function, told, text)
        for (module, function), said in EQUIVALENT.items()
        for told, text, _ in said
        if not any(one[:3] == (module, function, told) and text in one[3] for one in there)
    ]
    assert gone == []
