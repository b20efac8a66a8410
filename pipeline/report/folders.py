"""Names of the folders that partners get."""

import hashlib
import re
from urllib.parse import quote

_LONGEST_FOLDER = 120
_PLAIN_NAME = re.compile(r"(?!\.)[\w .-]+(?<![. ])")
_RESERVED = frozenset({"index.html", "report.json"})


def partner_folder(partner_id: str) -> str:
    """A safe folder name for a partner: itself where it is plain, else percent-encoded. No name becomes a path.

    No two partners share one: a name that is too long is cut, and ends as no encoded name can, in its digest.
    """
    if _PLAIN_NAME.fullmatch(partner_id) and partner_id not in _RESERVED and len(partner_id) <= _LONGEST_FOLDER:
        return partner_id
    encoded = quote(partner_id, safe="").replace(".", "%2E")
    if "%" in encoded and len(encoded) <= _LONGEST_FOLDER:
        return encoded
    return f"{encoded[:_LONGEST_FOLDER]}%~{hashlib.sha256(partner_id.encode()).hexdigest()[:32]}"
