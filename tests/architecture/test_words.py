"""The words of the program are what it is written in."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "schemas").rglob("*.py")]
SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "core", "base"}


def glossary():
    """One entry a word: the word, the module that it stands in, the words that are not used for it."""
    text = (ROOT / "pipeline" / "HOW_IT_WORKS.md").read_text(encoding="utf-8")
    table = text.split("## Words of the program")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    return [(word, place.strip("`"), set(others.split(", ")) - {""}) for word, _, place, others in rows[2:]]


def words_of(name):
    """The words that a name is made of, in lower case."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).strip("_").lower().split("_")


def singular(word):
    return re.sub(r"ies$", "y", word).removesuffix("s")


@pytest.mark.parametrize(("word", "place"), [(word, place) for word, place, _ in glossary()])
def test_a_word_of_the_program_stands_where_the_glossary_says(word, place):
    text = " ".join(words_of((ROOT / place).read_text(encoding="utf-8")))
    assert re.search(rf"\b{word}", text)


def test_modules_and_classes_are_called_by_the_words_of_the_glossary():
    instead = {other: word for word, _, others in glossary() for other in others}
    names = {path.stem: path for path in SOURCES}
    for path in SOURCES:
        classes = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.ClassDef)]
        names |= {node.name: path for node in classes}
    for name, path in names.items():
        for word in words_of(name):
            assert word not in SAY_NOTHING, f"{path}: {name} says nothing"
            meant = instead.get(word) or instead.get(singular(word))
            assert meant is None, f"{path}: {name} is called {meant!r} elsewhere"
