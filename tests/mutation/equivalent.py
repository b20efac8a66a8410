"""Mutants that change nothing a test could see, and why: by module and function, what was done, on which line."""

_NONE_MISSING = "each row finds another to stand beside"
_NULLS_GO = "what finds nothing is null, and the next step leaves nulls out"
_AS_MANY = "they are as many by the way that they are made"
_NO_PATTERN = "the word means the same as a pattern"
_STABLE = "polars keeps the order here; it promises so where asked"
_SPARES_WORK = "it spares work: what it keeps away changes nothing further on"

EQUIVALENT = {
    ("pipeline/authorize.py", "authorize"): [
        ("says False", "fill_null", "every pair is judged: it is for a fault of the program, which no test can make"),
    ],
    ("pipeline/authorize.py", "standings"): [
        ("says 'left'", "own.join(resellers", _NULLS_GO),
    ],
    ("pipeline/authorize.py", "_own_standings"): [
        ("compares by GtE", "place > last_removed", "the last removal is no active statement itself"),
    ],
    ("pipeline/match/profiles.py", ""): [
        ("combines by Sub", "2 * number + 1", "the factors are odd and different all the same"),
    ],
    ("pipeline/match/lookalikes.py", "met_by_serial"): [("leaves out filter", "own = ", _SPARES_WORK)],
    ("pipeline/match/lookalikes.py", "find_lookalikes"): [
        ("says 'left'", "forms.join(records", _NONE_MISSING),
    ],
    ("pipeline/match/candidates.py", "_shared"): [("compares by GtE", "held = ", _SPARES_WORK)],
    ("pipeline/match/candidates.py", "pairs_against"): [("says False", "zip(names, keyed, theirs", _AS_MANY)],
    ("pipeline/match/compare.py", "_verdict_with_hashes"): [
        ("combines by BitOr", "alone = ", "lines before it have decided all with the same serial number but this"),
    ],
    ("pipeline/match/compare.py", "_listed"): [
        ("says False", "zip(FEATURES, names", _AS_MANY),
    ],
    ("pipeline/match/devices.py", "_claims"): [
        ("says 'left'", "explained = ", _NULLS_GO),
    ],
    ("pipeline/decide/registered.py", "_members"): [
        ("leaves out unique", ".unique()", "rows of one content are told as often as there are, and heard once"),
    ],
    ("pipeline/decide/registered.py", "_by_rows_without_hash"): [
        ("leaves out filter", 'silent.filter("has_hash")', "rows without a hash hear the same twice"),
        ("says 'left'", "rivals = asked.join", _NULLS_GO),
    ],
    ("pipeline/decide/registered.py", "rivals"): [
        ("says 'left'", ".join(own", _NULLS_GO),
    ],
    ("pipeline/decide/registered.py", "registrations"): [
        ("says False", 'pl.col("told").unique(maintain_order', _STABLE),
    ],
    ("pipeline/decide/within.py", "duplicates"): [
        ("leaves out filter", "several = devices.filter", _SPARES_WORK),
    ],
    ("pipeline/decide/within.py", "conflict_edges"): [
        ("leaves out filter", "involved = devices.filter", _SPARES_WORK),
        ("leaves out unique", "harmed = ", "a row harmed twice is harmed"),
    ],
    ("pipeline/decide/deciding.py", "decide"): [
        ("leaves out drop_nulls", "_told(codes, heard", _SPARES_WORK),
    ],
    ("pipeline/decide/deciding.py", "concluded"): [
        ("leaves out filter", "rejected = ", _SPARES_WORK),
    ],
    ("pipeline/decide/deciding.py", "_repaired"): [
        ("says 'left'", "matches.profiles.select", _NULLS_GO),
        ("says 'left'", "rows_of.join(own", _NONE_MISSING),
    ],
    ("pipeline/decide/finding.py", "find"): [
        ("leaves out filter", "matches.profiles.filter", _SPARES_WORK),
    ],
    ("pipeline/requests/docket.py", "without_repairs"): [
        ("says False", "REPAIR, literal", _NO_PATTERN),
    ],
    ("pipeline/requests/docket.py", "_waiting_for"): [
        ("leaves out drop_nulls", '.drop_nulls("key")', _NULLS_GO),
        ("leaves out drop_nulls", 'gone.explode("key")', _NULLS_GO),
        ("says 'left'", 'gone.explode("key")', _NULLS_GO),
        ("leaves out unique", "return pl.concat", "it is asked whether an id is among them"),
    ],
    ("pipeline/requests/docket.py", "deliveries"): [
        ("says False", '"stamp": ', _AS_MANY),
        ("says False", "for number, (manifest, state, digest)", _AS_MANY),
    ],
    ("pipeline/requests/docket.py", "known_sheets"): [
        ("says False", 'pl.col("sha256").str.contains', _NO_PATTERN),
    ],
    ("pipeline/requests/docket.py", "_settled"): [
        ("leaves out unique", "known = ", "digests are kept as a set"),
    ],
    ("pipeline/requests/docket.py", "_with_opened"): [
        ("says False", "first = ", _STABLE),
    ],
    ("pipeline/requests/docket.py", "due"): [
        ("says 'left'", "read_before.join", _NULLS_GO),
        ("says 'left'", ".join(rows, on=", _NULLS_GO),
    ],
    ("pipeline/requests/settling.py", "_waits"): [
        ("says False", "zip(WAITS, Waits", _AS_MANY),
    ],
    ("pipeline/requests/settling.py", "_is_satisfied"): [
        ("says True", "fill_null", "what is not rejected has no reason; what points at it is done in any case"),
    ],
    ("pipeline/requests/settling.py", "_with_ends"): [
        (
            "says True",
            'pl.col(f"kept_{name}")',
            "a duplicate of a row that was not rejected is carried out, and waits for nothing",
        ),
    ],
    ("pipeline/requests/settling.py", "_kept"): [
        ("says False", "pl.int_range(rows.height", "the positions are taken as numbers or as an expression of them"),
    ],
    ("pipeline/requests/settling.py", "_waits_on"): [
        ("says 'left'", ".join(matches.profiles", _NULLS_GO),
        ("says 'left'", ".join(in_the_way", _NULLS_GO),
        ("says 'left'", "tenants, on=", _NULLS_GO),
        ("leaves out filter", "registered = ", _SPARES_WORK),
        ("leaves out filter", "named = ", _SPARES_WORK),
    ],
    ("pipeline/requests/settling.py", "_asked_before"): [
        ("leaves out filter", "own = ", _SPARES_WORK),
        ("says 'left'", "pending.select", "what it does not have was not asked before"),
    ],
    ("pipeline/publish/records.py", "carried_out"): [
        ("leaves out drop_nulls", "others = ", _NULLS_GO),
    ],
    ("pipeline/publish/records.py", "ended_records"): [
        ("leaves out drop_nulls", "ends = ", _NULLS_GO),
        ("says 'left'", "ends.join(ending", _NONE_MISSING),
    ],
    ("pipeline/publish/records.py", "learned"): [
        ("leaves out drop_nulls", "teaching = ", _NULLS_GO),
    ],
    ("pipeline/registry/requests.py", "requests_of"): [
        ("leaves out filter", "is_in(_SAID)", _SPARES_WORK),
    ],
    ("pipeline/registry/requests.py", "_decisions"): [
        ("leaves out filter", "heeded = ", "a word is not later than itself"),
    ],
    ("pipeline/registry/requests.py", "latest"): [
        ("says False", "maintain_order", _STABLE),
    ],
    ("pipeline/registry/requests.py", "carried_out_for"): [
        ("leaves out drop_nulls", "wanted = ", _NULLS_GO),
        ("leaves out unique", "wanted = ", _SPARES_WORK),
    ],
    ("pipeline/registry/requests.py", "words_on"): [
        ("says False", "list.unique(maintain_order", _STABLE),
    ],
    ("pipeline/registry/requests.py", "steps_done"): [
        ("says False", "first = ", _STABLE),
    ],
    ("pipeline/registry/table.py", "Registry.reopened"): [
        ("says True", "_open_mirrored", "what was brought near before is in the way of a new one"),
    ],
    ("pipeline/registry/table.py", "Registry.departed"): [
        ("leaves out unique", "carried_out_for", _SPARES_WORK),
    ],
    ("pipeline/registry/table.py", "Registry.carried_out"): [
        ("leaves out unique", "carried_out_ids", _SPARES_WORK),
    ],
    ("pipeline/registry/table.py", "Registry.copier"): [
        ("combines by Sub", "return RegistryWriter", "what is copied keeps the version that it tells"),
    ],
}
"""Each entry: what was done, a piece of its line, and why nothing follows from it."""
