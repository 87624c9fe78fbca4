"""A configuration opened at the command line: its file, its text, what it means, and what is remembered in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from source_linkless.cli.config_file import ConfigFile
from source_linkless.cli.config_text import ConfigText
from source_linkless.config import Config, Login, parse_config
from source_linkless.linking.orchestration import Surroundings, opened


class Draft:
    """A configuration as it was read; a password may still be missing."""

    def __init__(self, source: Path, target: Path | None = None) -> None:
        """Read the file. Raises FileProblem, or a config error when it holds no JSON object."""
        self.file = ConfigFile(source, target)
        self.text = ConfigText(self.file.read())

    def entry_of(self, key: str | None) -> int | None:
        """Return the number of the entry that is called `key`, or of the only one."""
        entries = self.text.entries
        if key is None or len(entries) == 1:
            return 0 if len(entries) == 1 else None
        return next((number for number, one in enumerate(entries) if str(one.get("key")).strip() == key), None)

    def opened(self, surroundings: Surroundings) -> Workspace:
        """Return the workspace. Raises the config error of the first mistake in the configuration."""
        return Workspace(self, surroundings)

    def keys_only(self) -> Config:
        """Return what the provider's keys need; the logins may be missing, as one may still look for a utility."""
        raw: Mapping[str, Any] = self.text.raw
        return parse_config({**raw, "connection": {"method": "access_token", "access_token": "not used"}})


class Workspace:
    """What a command works with; `keep` writes what has changed before anything else happens."""

    def __init__(self, draft: Draft, surroundings: Surroundings) -> None:
        """Register every secret for masking, then parse."""
        self.file, self.text, self.surroundings = draft.file, draft.text, surroundings
        self.config, self.links = opened(draft.text.raw, surroundings)
        self._numbers = {login.key: number for number, login in enumerate(self.config.logins)}

    def login(self, key: str) -> Login | None:
        """Return the login of a key."""
        return self.config.logins[self._numbers[key]] if key in self._numbers else None

    def prove_writable(self) -> None:
        """Write the file as it is, so that a disk that refuses does so before anything is sent. Raises FileProblem."""
        self.file.write(self.text.text)

    def keep(self, passwords: Mapping[str, str]) -> None:
        """Write the links as they are now, and the passwords that a person typed, by key. Raises FileProblem."""
        text = self.text.with_links(self.links.dump())
        for key, password in passwords.items():
            text = text.with_password(self._numbers[key], password)
        self.file.write(text.text)
        self.text = text

    def forget(self, login: Login) -> None:
        """Take a login out of the file, with everything that is remembered of it. Raises FileProblem."""
        self.links.drop(login)
        text = self.text.without_entry(self._numbers[login.key]).with_links(self.links.dump())
        self.file.write(text.text)
        self.text = text
