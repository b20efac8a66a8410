"""What all tasks of a phase read: written once, and read once by each process."""

import pickle
from functools import lru_cache
from pathlib import Path
from typing import Any


def share(value: object, path: Path) -> Path:
    """Put a value where tasks read it; its path, which is given to them."""
    path.write_bytes(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))
    return path


@lru_cache(maxsize=1)
def shared(path: Path) -> Any:  # noqa: ANN401 - whoever shared it knows what it is
    """The value that lies at a path, which no two values of a process ever share."""
    return pickle.loads(path.read_bytes())  # noqa: S301 - our own process wrote it
