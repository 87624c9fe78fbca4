"""What a login may ask a person while it is being linked, and who answers.

A sync has nobody to ask: there every such question ends the login. The command `linkless` has a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from source_linkless.config import Login
from source_linkless.provider.api import Account


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the provider; `ends` is the event loop's time at which an answer is no longer taken."""

    login: Login
    text: str
    ends: float
    is_repeated: bool = field(default=False)
    """Whether the answer before was wrong."""


class Person(Protocol):
    """Somebody who answers. Each method returns None when no answer is given; all may be cancelled at any moment."""

    async def answer(self, question: Question) -> str | None:
        """Return the code or the answer to a security question."""

    async def choose(self, login: Login, accounts: Sequence[Account], ends: float) -> Sequence[str] | None:
        """Return the `account_id` of every account that shall be linked."""

    async def correct(self, login: Login) -> Login | None:
        """Return the login with another password after the utility has refused it."""
