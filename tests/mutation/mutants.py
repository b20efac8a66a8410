"""Small mistakes in modules where a mistake would merge devices, register wrongly, or lose a request."""

import ast
import copy
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

TARGETS = {
    "pipeline/deals/cutting.py": "deals",
    "pipeline/match/candidates.py": "matching",
    "pipeline/match/compare.py": "matching",
    "pipeline/match/devices.py": "matching",
    "pipeline/match/lookalikes.py": "matching",
    "pipeline/match/matching.py": "matching",
    "pipeline/match/profiles.py": "matching",
    "pipeline/decide/deciding.py": "matching",
    "pipeline/decide/finding.py": "matching",
    "pipeline/decide/registered.py": "matching",
    "pipeline/decide/within.py": "matching",
    "pipeline/authorize.py": "authorization",
    "pipeline/requests/docket.py": "requests",
    "pipeline/requests/settling.py": "requests",
    "pipeline/publish/records.py": "requests",
    "pipeline/registry/requests.py": "requests",
    "pipeline/registry/table.py": "commit",
}
"""Modules, and which tests have to notice what is wrong with them."""

TESTS = {
    "deals": ("tests/deals",),
    "matching": ("tests/decide", "tests/match"),
    "authorization": ("tests/test_authorize.py",),
    "requests": (
        "tests/requests",
        "tests/registry/test_requests.py",
        "tests/publish/test_records.py",
        "tests/worlds/test_requests.py",
        "tests/worlds/test_takeover.py",
        "tests/worlds/test_identity.py",
    ),
    "commit": (
        "tests/registry/test_table.py",
        "tests/registry/test_log.py",
        "tests/registry/test_vacuuming.py",
        "tests/faults/test_transactions.py",
        "tests/worlds/test_requests.py",
    ),
}

_SWAPPED = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
}
_WORDS = {"anti": "semi", "semi": "anti", "first": "last", "last": "first", "inner": "left"}
_CALLS = {"min": "max", "max": "min", "first": "last", "last": "first", "any": "all", "all": "any"}
_DROPPED = frozenset({"filter", "unique", "drop_nulls"})


@dataclass(frozen=True, slots=True)
class Mutant:
    """One module with one mistake.

    Attributes:
        module: path of the module below the root.
        function: the outermost one that it is in, by its qualified name; empty where it is in none.
        line: where it is.
        text: the line.
        told: what was done there.
        source: the module's text with it.
    """

    module: str
    function: str
    line: int
    text: str
    told: str
    source: str


def mutants(module):
    """Every mutant of a module, in the order of its lines."""
    text = (ROOT / module).read_text(encoding="utf-8")
    tree, lines = ast.parse(text), text.splitlines()
    found = []
    for at, (function, node) in enumerate(places(tree)):
        for change in _changes(node):
            mutated = copy.deepcopy(tree)
            told = change(list(places(mutated))[at][1])
            line = _line(node)
            found.append(Mutant(module, function, line, lines[line - 1].strip(), told, ast.unparse(mutated)))
    return sorted(found, key=lambda mutant: (mutant.line, mutant.told))


def places(node, function="", outside=""):
    """All nodes below a node, each with the outermost function that it is in."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "dataclass":
        return  # that it is frozen helps who reads it, and changes nothing that it does
    for inner in ast.iter_child_nodes(node):
        if inner in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            continue  # types are the type checker's
        within, below = function, outside
        if not function and isinstance(inner, ast.ClassDef):
            below = f"{outside}{inner.name}."
        elif not function and isinstance(inner, ast.FunctionDef):
            within = f"{outside}{inner.name}"
        if hasattr(inner, "lineno"):
            yield within, inner
        yield from places(inner, within, below)


def _line(node):
    """Where it is written what a node does: a call's name may stand some lines below what it is called on."""
    return node.func.end_lineno if isinstance(node, ast.Call) else node.lineno


def _changes(node):
    """What can be done to a node: functions that do it and tell."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _SWAPPED:
        yield _swap_comparison
    elif isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in _SWAPPED:
        yield _swap_operator
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert | ast.Not):
        yield _drop_negation
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield _turn_truth
    elif isinstance(node, ast.Constant) and node.value in _WORDS:
        yield _swap_word
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in _CALLS:
            yield _swap_call
        if node.func.attr in _DROPPED:
            yield _drop_call


def _swap_comparison(node):
    node.ops[0] = _SWAPPED[type(node.ops[0])]()
    return f"compares by {type(node.ops[0]).__name__}"


def _swap_operator(node):
    node.op = _SWAPPED[type(node.op)]()
    return f"combines by {type(node.op).__name__}"


def _drop_negation(node):
    node.operand = ast.UnaryOp(node.op, node.operand)
    return "negates no more"


def _turn_truth(node):
    node.value = not node.value
    return f"says {node.value}"


def _swap_word(node):
    node.value = _WORDS[node.value]
    return f"says {node.value!r}"


def _swap_call(node):
    node.func.attr = _CALLS[node.func.attr]
    return f"calls {node.func.attr}"


def _drop_call(node):
    told = f"leaves out {node.func.attr}"
    same = ast.parse("lambda rows: rows", mode="eval").body
    node.func, node.args, node.keywords = same, [node.func.value], []
    return told
