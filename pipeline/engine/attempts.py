"""Names of the files that a task writes."""

import secrets
from pathlib import Path

_TOKEN_BYTES = 8


def of_attempt(path: Path) -> Path:
    """The path with a name of this attempt at a task, which no other attempt has, not even one that goes on meanwhile.

    What is written there counts once it is named in what the task gives back; whoever asked for it takes it from there.
    """
    return path.with_name(f"{path.stem}-{secrets.token_hex(_TOKEN_BYTES)}{path.suffix}")
