"""What the command says: sentences in 80 columns, without colour, and what an outcome means at a terminal."""

from __future__ import annotations

import textwrap

from source_linkless.errors import Status
from source_linkless.provider.outcomes import CAPTCHA, CREDENTIALS, METHOD, Outcome

COLUMNS = 80

_BROWSER = (
    "Only a browser can do that: link this login once in the provider's own form, and give the access token you get "
    "in place of username and password."
)
_AGAIN = "Run `linkless link` again when you have it at hand."
_BY_REASON = {
    "MfaQuestion": f"The code was not given. {_AGAIN}",
    "MfaQuestionNoAnswer": f"No answer came in time. {_AGAIN}",
    "MfaQuestionInvalidAnswer": "The answer was wrong twice. Run `linkless link` again to be asked anew.",
    "SecurityQuestion": "The question was not answered. Run `linkless link` again.",
    "AccountSelection": "No account was chosen. Run `linkless link` again.",
}
_BY_MESSAGE = {
    CAPTCHA.advice: f"The utility shows a captcha. {_BROWSER}",
    METHOD.advice: f"The utility asks how it shall send a code. {_BROWSER}",
    CREDENTIALS.advice: (
        "The utility refused the username or the password. Run `linkless link` again to type another password. Make "
        "sure of it at the utility's portal first: a few wrong ones lock an account."
    ),
}
_NO_TERMINAL = "It needs a person, and there is no terminal to ask one: run `linkless link` in a terminal."
_WORDS = {
    Status.READY: "linked",
    Status.NO_DATA: "no data",
    Status.PENDING: "still connecting",
    Status.NEEDS_USER: "needs you",
    Status.FAILED: "failed",
}


def printable(text: str) -> str:
    """Return a text of the provider without anything that would steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def wrapped(text: str, indent: str = "") -> str:
    """Return a text in lines of 80 columns; all but the first begin with `indent`."""
    return textwrap.fill(
        printable(text), COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def duration(seconds: float) -> str:
    """Return a time left as minutes and seconds."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes}:{rest:02d}"


def advice(outcome: Outcome, *, has_person: bool) -> str:
    """Return what to do about an outcome for somebody at the command line."""
    reason = outcome.reason or ""
    if reason in _BY_REASON:
        return _BY_REASON[reason] if has_person else _NO_TERMINAL
    return _BY_MESSAGE.get(outcome.message, outcome.message)


def line_of(key: str, outcome: Outcome, seconds: float, *, has_person: bool) -> str:
    """Return how one login ended, as a paragraph."""
    took = f" ({seconds:.0f} s)" if outcome.status is Status.READY else ""
    reason = f" {outcome.reason}." if outcome.reason else ""
    what = advice(outcome, has_person=has_person)
    detail = f" ({outcome.detail})" if outcome.detail else ""
    return wrapped(f"{key}: {_WORDS[outcome.status]}{took}.{reason} {what}{detail}".rstrip(), "  ")
