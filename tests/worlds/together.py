"""Worlds that share their nights. A night costs a second whatever it holds, and tests of worlds ask for hundreds.

Each test sees a world of its own: its inbox, its reference data, and of each night its own rows. Behind that stand one
registry and one output, and each world has tenants and devices that no other has. A test goes on until it asks for a
night; then one night is played for all that ask for the same.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from os import utime
from pathlib import Path
from queue import SimpleQueue
from shutil import rmtree
from typing import Any

import polars as pl

from pipeline.lab.synthesize.devices import Factory
from tests.conftest import AS_OF, AUTHORIZATIONS, OTHER_TENANT, PARTNERS, TENANT, TENANTS, Published, World

STRANGER = "33333333-3333-4333-8333-333333333333"
COUNTED = ("read", "settled", "registered", "deregistered", "rejected")

Asked = tuple[datetime, frozenset[tuple[str, Any]]]
"""What a night is asked for with: the moment and the options."""


def _named_apart(number: int) -> dict[str, str]:
    """What tests write down, and what stands for it in the shared nights."""
    tenants = {tenant: f"{number:08x}{tenant[8:]}" for tenant in (TENANT, OTHER_TENANT, STRANGER)}
    serials = {
        text: text.replace("1234", f"{number:04d}").replace("2B3", f"{number:03d}").replace("2b3", f"{number:03d}")
        for text in ("5CG1234ABC", "5CG-1234-ABC", "5CG1234-ABC", "3305123456789", "PF1A2B3C", "pf1a2b3c", "PFIA2B3C")
    }
    return tenants | serials


@dataclass
class OwnWorld(World):
    """A world as its test sees it, in nights that it shares.

    Attributes:
        number: which it is.
        play: plays the night that it asks for.
        texts: its reference data.
    """

    number: int = 0
    play: Callable[[Asked], Published] | None = None
    texts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.texts |= {"partners.csv": PARTNERS, "authorizations.csv": AUTHORIZATIONS, "tenants.csv": TENANTS}
        self._shared = _named_apart(self.number)

    @property
    def inbox(self) -> Path:
        return self.home / f"inbox-{self.number}"

    def reference(self, name: str, text: str) -> None:
        self.texts[name] = text

    def shared(self, text: str) -> str:
        """A text as it stands in the shared nights."""
        for own, there in self._shared.items():
            text = text.replace(own, there)
        return text

    def own(self, text: str) -> str:
        """A text of the shared nights as the test knows it."""
        for own, there in self._shared.items():
            text = text.replace(there, own)
        return text

    def mine(self, rows: pl.DataFrame, column: str = "source_file") -> pl.DataFrame:
        """Those of the shared rows that are this world's, as the test knows them."""
        tenants = [self._shared[tenant] for tenant in (TENANT, OTHER_TENANT, STRANGER)]
        kept = rows.filter(pl.col(column).str.contains_any(tenants))
        there, own = list(self._shared.values()), list(self._shared)
        return kept.with_columns(
            pl.col(pl.String).str.replace_many(there, own),
            pl.col(pl.List(pl.String)).list.eval(pl.element().str.replace_many(there, own)),
        )

    def import_existing(self, *records: dict[str, str], restore: bool = False):
        told = [{name: self.shared(value) for name, value in record.items()} for record in records]
        return super().import_existing(*told, restore=restore)

    def run(self, *, as_of: datetime = AS_OF, **options: Any) -> Published:
        return self.play((as_of, frozenset(options.items())))

    def share(self, inbox: Path) -> None:
        """Put what lies in its inbox into the shared one, as old as it is."""
        for path in self.inbox.rglob("*"):
            if path.is_file():
                name = str(path.relative_to(self.inbox))
                there = inbox / self.shared(name)
                assert there != inbox / name, f"{name} names no tenant: its test needs a world alone"
                there.parent.mkdir(parents=True, exist_ok=True)
                content = path.read_bytes()
                for own, shared in self._shared.items():
                    content = content.replace(own.encode(), shared.encode())
                there.write_bytes(content)
                utime(there, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))

    def see(self, night: Published) -> Published:
        """Its part of a shared night."""
        registered, deregistered, rejected, files = (
            self.mine(rows) for rows in (night.registered, night.deregistered, night.rejected, night.files)
        )
        waits = pl.col("waits_for").list.set_difference(["delivery"]).list.len() > 0
        rows = {name: files[f"rows_{name}"].sum() for name in COUNTED} | {"waiting": rejected.filter(waits).height}
        manifest = {
            "run_id": night.manifest["run_id"],
            "rows": rows,
            "reasons": dict(Counter(rejected["reason"].to_list())),
        }
        return Published(replace(night.result, manifest=manifest), registered, deregistered, rejected, files)


class _Player:
    """Plays one test, from one night to the next, in a thread of its own that goes on only while it is waited for."""

    def __init__(self, test: Callable[[World], None], world: OwnWorld) -> None:
        self.world = world
        self.failed: BaseException | None = None
        self._test = test
        self._asked, self._played = SimpleQueue[Asked | None](), SimpleQueue[Published | BaseException]()
        world.play = self._ask
        self._thread = threading.Thread(target=self._play, daemon=True)

    def begin(self) -> Asked | None:
        """The first night that it asks for; None once it has ended."""
        self._thread.start()
        return self._asked.get()

    def go_on(self, night: Published | BaseException) -> Asked | None:
        """The next one."""
        self._played.put(night)
        return self._asked.get()

    def _ask(self, asked: Asked) -> Published:
        self._asked.put(asked)
        night = self._played.get()
        if isinstance(night, BaseException):
            raise night
        return self.world.see(night)

    def _play(self) -> None:
        try:
            self._test(self.world)
        except BaseException as error:  # noqa: BLE001 - what a test ends with is told as its own
            self.failed = error
        self._asked.put(None)


def play_together(stage: World, tests: dict[str, Callable[[World], None]]) -> dict[str, BaseException | None]:
    """Play all tests of worlds; how each has failed, or None."""
    players = {}
    for number, (name, test) in enumerate(tests.items(), 101):
        world = OwnWorld(stage.home, Factory(random.Random(20260115 + number)), number=number)
        world.inbox.mkdir()
        players[name] = _Player(test, world)
    asking = {player: player.begin() for player in players.values()}
    while asking := {player: asked for player, asked in asking.items() if asked}:
        ((most, _),) = Counter(asking.values()).most_common(1)
        together = [player for player, asked in asking.items() if asked == most]
        night = _night(stage, most, [player.world for player in together])
        for player in together:
            player.world.runs = stage.runs
            asking[player] = player.go_on(night)
    return {name: player.failed for name, player in players.items()}


def _night(stage: World, asked: Asked, worlds: Iterable[OwnWorld]) -> Published | BaseException:
    as_of, options = asked
    rmtree(stage.inbox)
    stage.inbox.mkdir()
    texts: dict[str, dict[str, None]] = {}
    for world in worlds:
        world.share(stage.inbox)
        for name, text in world.texts.items():
            texts.setdefault(name, {}).update(dict.fromkeys(world.shared(text).splitlines()))
    for name, lines in texts.items():  # the header comes first, since all begin with it
        stage.reference(name, "".join(f"{line}\n" for line in lines))
    try:
        return stage.run(as_of=as_of, **dict(options))
    except Exception as error:  # noqa: BLE001 - told to every test that asked for the night
        return error
