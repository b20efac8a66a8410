"""Where folders lie: on this machine, or in an object store, under a URI."""

import re
from pathlib import Path

from pipeline.errors import UsageError

Location = Path | str
"""A local folder, or the URI of a folder of an object store."""

_SCHEMES = ("s3://", "s3a://", "az://", "azure://", "abfs://", "abfss://")

NO_NAMES = frozenset({"", ".", ".."})
"""Parts of a name that would lead elsewhere."""

_NO_LETTERS = re.compile(r"[?#%]")
"""What a URI is read otherwise for than it is written: what follows is no part of the folder, or stands for another
letter. A signature follows one, too."""

_OF_AZURE = re.compile(r"(az|azure|abfs|abfss)://([^/@]*)(@[^/]*)?")
"""How a container of Azure is written; its account is the environment's."""


def is_uri(location: Location) -> bool:
    """Whether a location is in an object store."""
    return isinstance(location, str) and location.lower().startswith(_SCHEMES)


def below(location: Location, name: str) -> Location:
    """A name below a location."""
    return f"{location.rstrip('/')}/{name}" if isinstance(location, str) else location / name


def parent(location: Location) -> Location | None:
    """The location that one lies directly in; None for the root of a store, beside which nothing lies."""
    if not isinstance(location, str):
        return location.resolve().parent
    scheme, _, path = location.partition("://")
    above, slash, _ = path.rstrip("/").rpartition("/")
    return f"{scheme}://{above}" if slash else None


def lies_in(location: Location, other: Location) -> bool:
    """Whether a location is another, or below it."""
    if isinstance(location, str) or isinstance(other, str):
        return _one_way(location).startswith(_one_way(other))
    return location.resolve().is_relative_to(other.resolve())


def _one_way(location: Location) -> str:
    """A location with a slash at its end, as others may write it otherwise."""
    scheme, found, path = f"{str(location).rstrip('/')}/".partition("://")
    written = f"{scheme.lower().replace('s3a', 's3')}{found}{path}"
    return _OF_AZURE.sub(r"az://\2", written)


def require_plain(uri: str) -> None:
    """What is part of the URI names a folder, in the one way that it can be written.

    Raises:
        UsageError: something else is; it may be a credential, so nothing that follows it is told.
    """
    scheme, _, path = uri.partition("://")
    account, found, _ = path.partition("/")[0].rpartition("@")
    if other := _NO_LETTERS.search(path):
        message = (
            f"{scheme}://{path[: other.start()]}: is followed by {other[0]!r}, which no folder of a store may have"
        )
    elif found and (":" in account or not _OF_AZURE.match(uri.lower())):
        message = f"{scheme}://: is followed by a user before an @; credentials are the environment's"
    elif not NO_NAMES.isdisjoint(path.split("/")):
        message = f"{uri}: has an empty part, or one that means another folder"
    else:
        return
    message = f"{message}; write the URI without it"
    raise UsageError(message)
