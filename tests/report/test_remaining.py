import polars as pl

from pipeline.report.remaining import MOST_DEVICES, remaining_content
from schemas.steps import DEREGISTER, DONE, NEW_HASH, OPEN, STEP_TYPES, STEPS

EVERY = [step for step in STEPS if step.name not in {NEW_HASH, "new_registration"}]


def table(devices, steps=EVERY):
    return pl.DataFrame(
        [
            {
                **dict.fromkeys(STEP_TYPES),
                "device_id": f"device-{at:04}",
                "tenant_id": "t",
                "serial_number": f"PF12345{at:04}",
                "step": step.name,
                "owner": step.owner,
                "state": DONE if step.name == DEREGISTER else OPEN,
            }
            for at in range(devices)
            for step in steps
        ],
        STEP_TYPES,
    )


def test_all_are_counted_and_some_listed():
    told = remaining_content(table(MOST_DEVICES + 7))
    assert (told["of"], told["open"], len(told["listed"])) == (MOST_DEVICES + 7, 5 * (MOST_DEVICES + 7), MOST_DEVICES)
    assert [step["step"] for step in told["steps"]] == [step.name for step in EVERY]
    assert {step["step"]: step["open"] for step in told["steps"]}[DEREGISTER] == 0
    assert told["listed"][0]["serial"] == "PF***00"
    assert [step["step"] for step in told["listed"][-1]["steps"]] == [step.name for step in EVERY]


def test_a_step_that_some_devices_have_counts_theirs():
    told = remaining_content(pl.concat([table(3), table(1, [step for step in STEPS if step.name == NEW_HASH])]))
    assert [(step["devices"], step["open"]) for step in told["steps"] if step["step"] == NEW_HASH] == [(1, 1)]


def test_where_nothing_left_nothing_remains():
    assert remaining_content(table(0)) == {"of": 0, "open": 0, "steps": [], "listed": []}
