"""The settings of what is in object stores."""

from pipeline.settings.of_registry import OTHER_RECORDS, RECORDS
from pipeline.settings.of_review import REVIEW
from pipeline.settings.setting import Kind, Setting

_CACHED = tuple(command for command in (*RECORDS, *OTHER_RECORDS) if command != "registry verify")
"""Commands that take what was kept for what is there; `registry verify` looks at what is."""

OF_STORES = (
    Setting(
        "cache",
        Kind.FOLDER,
        ("run", "check", *_CACHED, "doctor", *REVIEW),
        "local folder that keeps what came from an object store for the next time, in half the room of its disk",
        otherwise="none: what is needed comes anew",
        example='"/var/cache/autopilot-intake"',
    ),
)
