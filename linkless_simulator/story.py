"""What a story is, and the few patterns that most stories follow."""

from dataclasses import dataclass

from linkless_simulator.answers import Fault
from linkless_simulator.bills import Sizes
from linkless_simulator.situations import CONNECTING, EXTRACTING, NOT_READY, READY, product_says
from linkless_simulator.sources import Field
from linkless_simulator.stages import Looks, Seconds, Situation, Stage

Stages = tuple[Stage, ...]

# A refresh that works: the product is not ready for one call, then there is data.
REFRESHED: Stages = (
    Stage(Situation("Connected", "Connected", "ExecutingJob", NOT_READY), Looks(1)),
    Stage(READY),
)


@dataclass(frozen=True, slots=True)
class Story:
    """What happens to one login.

    `stages` run from connect on, `refreshed` from a refresh on; the last stage of each never ends.
    `connect`, `exchange`, `refresh` and `file` are answered instead of doing it. `pictures`: the files are no PDFs.
    `document` names a row of `shapes.SHAPES`. `wants` are login fields on top of the source's own. `promises_accounts`:
    whether `/connection/context` names accounts.
    """

    about: str
    stages: Stages
    refreshed: Stages = REFRESHED
    connect: Fault | None = None
    exchange: Fault | None = None
    refresh: Fault | None = None
    file: Fault | None = None
    pictures: bool = False
    document: str = "bills"
    sizes: Sizes | None = None
    flat_refused: bool = False
    wants: tuple[Field, ...] = ()
    promises_accounts: bool = True

    def linked_stages(self) -> Stages:
        """Return the stages of a connection that was linked long ago: no login, no counted wait for data."""
        rest = list(self.stages)
        while len(rest) > 1 and (not rest[0].shows.linked or _is_counted_wait(rest[0])):
            rest.pop(0)
        return tuple(rest)


def _is_counted_wait(stage: Stage) -> bool:
    return stage.shows == EXTRACTING and isinstance(stage.lasts, Looks)


def after_login(*stages: Stage) -> Stages:
    """Return `stages` behind a login that is seen Connecting once."""
    return (Stage(CONNECTING, Looks(1)), *stages)


def ends(about: str, situation: Situation, *, promises_accounts: bool = True) -> Story:
    """Return a story that comes to `situation` and stays there."""
    return Story(about, after_login(Stage(situation)), promises_accounts=promises_accounts)


def delivers(about: str, document: str = "bills", sizes: Sizes | None = None) -> Story:
    """Return a story whose login works and whose data is there at once."""
    return Story(about, after_login(Stage(READY)), document=document, sizes=sizes)


def product(about: str, fault: Fault, reason: str = "DataFound") -> Story:
    """Return a story whose login works and whose product always answers `fault`."""
    return ends(about, product_says(fault, reason))


def says(code: str, reason: str = "DataFound") -> Story:
    """Return a story whose product always answers an error object with `code`."""
    return product(f"Product answers {code}", Fault(code), reason)


def passing(about: str, fault: Fault, times: int = 1) -> Story:
    """Return a story whose product answers `fault` some times, then data."""
    return Story(about, after_login(Stage(product_says(fault), Looks(times)), Stage(READY)))


def connect_says(about: str, fault: Fault) -> Story:
    """Return a story whose connect answers `fault`."""
    return Story(about, after_login(Stage(READY)), connect=fault)


def exchange_says(about: str, fault: Fault) -> Story:
    """Return a story whose exchange answers `fault`."""
    return Story(about, after_login(Stage(READY)), exchange=fault)


def ready_after(seconds: float, connecting: float = 0.0) -> Story:
    """Return a story by the clock: Connected after `connecting` seconds, data `seconds` after that."""
    login = Stage(CONNECTING, Seconds(connecting))
    return Story("By the clock", (login, Stage(EXTRACTING, Seconds(seconds)), Stage(READY)))
