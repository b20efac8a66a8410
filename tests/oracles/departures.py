"""Who is registered after nights with departures, as the contract tells it: sets of devices, no frames, no registry.

Every device differs from every other in all that names it, each row of a night is a new capture, and no delivery lies
in the inbox for longer than a night; so what is left is who leaves, who comes, and what stands in whose way.
"""

from dataclasses import dataclass, field

Place = tuple[str, int]
"""A tenant and a device."""


@dataclass
class Ledger:
    """Who is registered, and what a night must have done."""

    live: set[Place] = field(default_factory=set)
    ended: set[Place] = field(default_factory=set)
    registered: set[Place] = field(default_factory=set)

    def play(self, arrives: set[Place], leaves: set[Place]) -> None:
        """A night of rows that name a device for a tenant exactly, to register it or for its departure."""
        self.ended = leaves & self.live
        self.live -= self.ended
        claimed = {device for _, device in arrives}
        contested = {device for device in claimed if len({tenant for tenant, one in arrives if one == device}) > 1}
        taken = {device for _, device in self.live}
        named = leaves - self.ended
        self.registered = {
            (tenant, device)
            for tenant, device in arrives
            if device not in contested | taken and (tenant, device) not in self.ended | named
        }
        self.live |= self.registered
