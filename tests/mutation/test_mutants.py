"""Whether the tests notice mistakes where a mistake would be unforgivable. Takes an hour for all of them."""

import json
import os
import random
import subprocess
import sys
import threading
from dataclasses import asdict

import pytest

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


def test_mutants_are_killed(request, capsys):
    most, seed = request.config.getoption("--mutants"), request.config.getoption("--seed")
    all_of_them = [mutant for module in TARGETS for mutant in mutants(module)]
    chosen = random.Random(seed).sample(all_of_them, min(most, len(all_of_them)))
    alive = []
    with capsys.disabled():
        for room, tests in TESTS.items():
            for mutant, said in judged(tests, [one for one in chosen if TARGETS[one.module] == room]):
                told = f"{mutant.module}:{mutant.line} {mutant.told}"
                alive += [told] if "SURVIVES" in said else []
                print(f"{told}: {said}", flush=True)
        print(f"{len(chosen) - len(alive)} of {len(chosen)} mutants killed, of {len(all_of_them)} there are")
    assert len(alive) <= (1 - _LEAST_KILLED) * len(chosen), alive
