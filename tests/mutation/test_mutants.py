"""Whether the tests notice mistakes where a mistake would be unforgivable. Takes hours for all of them."""

import os
import random
import shutil
import subprocess
import sys

import pytest

from tests.mutation.mutants import ROOT, TARGETS, TESTS, mutants

pytestmark = pytest.mark.long

_SECONDS = 600
_LEAST_KILLED = 0.9


def survives(mutant, place):
    """Whether all tests of a mutant pass."""
    for package in ("pipeline", "schemas"):
        shutil.copytree(ROOT / package, place / package, dirs_exist_ok=True)
    (place / mutant.module).write_text(mutant.source, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(place), str(ROOT))), "CI": "true"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(
            [*command, *TESTS[TARGETS[mutant.module]]],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def test_mutants_are_killed(tmp_path, request, capsys):
    most, seed = request.config.getoption("--mutants"), request.config.getoption("--seed")
    all_of_them = [mutant for module in TARGETS for mutant in mutants(module)]
    chosen = random.Random(seed).sample(all_of_them, min(most, len(all_of_them)))
    alive = []
    for at, mutant in enumerate(chosen, 1):
        if survives(mutant, tmp_path):
            alive.append(mutant)
        with capsys.disabled():
            state = "SURVIVES" if mutant in alive[-1:] else "killed"
            print(f"{at}/{len(chosen)} {state}: {mutant.module}:{mutant.line} {mutant.told}", flush=True)
    with capsys.disabled():
        print(f"{len(chosen) - len(alive)} of {len(chosen)} mutants killed, of {len(all_of_them)} there are")
    assert len(alive) <= (1 - _LEAST_KILLED) * len(chosen)
