"""What a run says of itself: short whatever it did, in colours where they are seen, nothing where quiet is asked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli import printing
from pipeline.cli.progress import listening
from pipeline.cli.summary import summary
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.night import INTUNE
from schemas.reasons import CATALOGUE, OUTCOMES, REASON_CODES
from tests.conftest import TENANT

HASH = INTUNE[2]


def run_of(reasons, *, partners=1, registered=1, dry_run=False, undecidable=0):
    rejected = sum(reasons.values())
    rows = {"read": registered + rejected * partners, "settled": 0, "registered": registered, "waiting": 0}
    rows["to_decide"] = sum(number for code, number in reasons.items() if CATALOGUE[code].to_decide) - undecidable
    outcomes = {}
    for code, number in reasons.items():
        outcomes[OUTCOMES[code]] = outcomes.get(OUTCOMES[code], 0) + number
    own = {"read": rejected + registered + 7, "settled": 4, "deregistered": 3}
    one = {"rows": own | {"rejected": rejected, "registered": registered}, "reasons": reasons}
    return {
        "run_id": "r1",
        "dry_run": dry_run,
        "files": {"found": 1},
        "rows": rows | {"rejected": rejected * partners},
        "outcomes": outcomes,
        "reasons": reasons,
        "partners": [one | {"partner_id": f"p{number}"} for number in range(partners)],
    }


def text(run):
    return [line for line, _ in summary(run, Path("runs/r1"))]


def test_it_is_short_and_begins_with_what_concerns_most_rows():
    told = text(run_of({code: at + 1 for at, code in enumerate(REASON_CODES)}, partners=300))
    assert len(told) <= 15
    numbers = [int(line.split()[0].replace(",", "")) for line in told[1:6]]
    assert numbers == sorted(numbers, reverse=True)
    assert "  and 296 more partners with rejected rows" in told


def test_a_partner_s_rows_are_all_that_were_decided_departures_among_them():
    told = text(run_of({"TENANT_MISSING": 2}))
    assert "  partner p0: 2 of 6 rejected, most TENANT_MISSING" in told


@pytest.mark.parametrize(
    ("reasons", "options", "step"),
    [
        ({"ALREADY_REGISTERED": 2}, {}, "nothing to do"),
        ({}, {}, "nothing to do"),
        ({"BOARD_REPLACED": 3}, {}, "decide 3 review cases: `autopilot-intake review list r1`"),
        ({"AMBIGUOUS_MATCH": 3}, {"undecidable": 1}, "decide 2 review cases: `autopilot-intake review list r1`"),
        (
            {"AMBIGUOUS_MATCH": 3},
            {"undecidable": 3},
            "hand each partner its folder below runs/r1/report; `autopilot-intake explain AMBIGUOUS_MATCH`",
        ),
        ({"DEPARTURE_LIMIT": 3}, {}, "yours to mend: `autopilot-intake explain DEPARTURE_LIMIT`"),
        (
            {"HASH_CHECKSUM": 3, "FILE_PARTNER_UNKNOWN": 1},
            {},
            "yours to mend: `autopilot-intake explain FILE_PARTNER_U",
        ),
        ({"HASH_CHECKSUM": 3}, {}, "hand each partner its folder below runs/r1/report; `autopilot-intake explain HASH"),
        ({"HASH_CHECKSUM": 3}, {"dry_run": True}, "run again without --dry-run"),
    ],
)
def test_it_says_what_to_do_next(reasons, options, step):
    steps = [line for line in text(run_of(reasons, **options)) if line.startswith("next: ")]
    assert len(steps) == 1
    assert steps[0].startswith(f"next: {step}")


@pytest.mark.parametrize(
    ("terminal", "environment", "coloured"),
    [(True, {}, True), (False, {}, False), (True, {"NO_COLOR": "1"}, False), (True, {"TERM": "dumb"}, False)],
)
def test_colours_show_on_a_terminal_that_wants_them(monkeypatch, capsys, terminal, environment, coloured):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    printing.tell_coloured([("good", "green"), ("\x1b[31mbad", "red"), ("plain", None)])
    shown = capsys.readouterr().out
    assert ("\x1b[32mgood\x1b[0m" in shown) == coloured
    assert "\\x1b[31mbad" in shown
    assert "plain\n" in shown


def test_who_asks_for_quiet_hears_no_notice(capsys):
    with listening(quiet=True) as listener:
        listener.notice("something")
    assert capsys.readouterr().err == ""


def test_a_run_that_is_asked_to_end_says_so_and_leaves_nothing(world):
    world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(world.factory.device())})
    script = """
import os, signal, sys
from unittest.mock import patch
from pipeline.cli import main
import pipeline.flow
sys.argv = ["intake", "run", "--run-id", "r1", "--log-format", sys.argv[1]]
with patch("pipeline.flow.decide", side_effect=lambda *_: os.kill(os.getpid(), signal.SIGTERM)):
    main()
"""
    for form in ("text", "json"):
        done = subprocess.run(
            [sys.executable, "-c", script, form], cwd=world.home, capture_output=True, text=True, check=False
        )
        assert done.returncode == 3
        assert "ended by SIGTERM" in done.stderr
        assert "run r1 is not published" in done.stderr
        assert list((world.home / "runs").rglob("*")) == [world.home / "runs" / ".staging"]


def test_quiet_says_nothing_but_what_is_too_much(world):
    world.deliver(f"contoso/{TENANT}/a.csv", {HASH: "nothing"})
    command = [sys.executable, "-m", "pipeline", "run", "--quiet", "--max-reject-rate", "0.5"]
    done = subprocess.run(command, cwd=world.home, capture_output=True, text=True, check=False, env=os.environ)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("findings: 1 of 1 rows")
