"""The state of the simulated provider: sessions, public tokens, connections, logins. `Backend` holds the lock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from linkless_simulator.answers import refused
from linkless_simulator.bills import Document, Sizes, accounts_of, identifier
from linkless_simulator.library import Title
from linkless_simulator.scenarios import story_of
from linkless_simulator.shapes import SHAPES
from linkless_simulator.situations import REFUSED
from linkless_simulator.sources import ORDINARY, SOURCES, Source
from linkless_simulator.stages import Stage, Walk
from linkless_simulator.story import Stages, Story, after_login

Body = dict[str, Any]

LINK_TOKEN_SECONDS = 20 * 60
PUBLIC_TOKEN_SECONDS = 30 * 60
WRONG_PASSWORDS_UNTIL_LOCKED = 3


@dataclass(slots=True, eq=False)
class Login:
    """A customer of a utility. `override` is a document that a test gave in place of the story's."""

    username: str
    story: Story
    links: int = 0
    deliveries: int = 0
    wrong: int = 0
    submissions: int = 0
    override: Document | None = None
    options: Body = field(default_factory=dict)
    newest: "Connection | None" = field(default=None, repr=False)

    @property
    def locked(self) -> bool:
        """Whether the account is locked after too many wrong passwords."""
        return self.wrong >= WRONG_PASSWORDS_UNTIL_LOCKED


@dataclass(slots=True, eq=False)
class Connection:
    """A login at a source, with its current or last session."""

    login: Login
    source: Source
    access_token: str = field(repr=False)
    connection_id: str
    walk: Walk
    started_at: float
    password_right: bool = True
    selected: frozenset[str] | None = None


@dataclass(slots=True, eq=False)
class Session:
    """The session of one link token. In update mode, `mode` and `connection` are set from the start."""

    expires_at: float
    options: Body
    mode: str | None = None
    connection: Connection | None = None
    connected: bool = False


@dataclass(slots=True, eq=False)
class PublicToken:
    """A public token that has not been exchanged yet."""

    connection: Connection
    expires_at: float


class World:
    """The whole state. Tokens are derived from what they stand for, so a new simulator recognises a connection."""

    def __init__(self, now: Callable[[], float], began: datetime, environment: str, sizes: Sizes) -> None:
        """Start empty. `began` is the date and time at the present reading of the clock."""
        self.now = now
        self.sizes = sizes
        self._environment = environment
        self._began = began - timedelta(seconds=now())
        self._sessions: dict[str, Session] = {}
        self._publics: dict[str, PublicToken] = {}
        self._connections: dict[str, Connection] = {}
        self._logins: dict[str, Login] = {}
        self._minted = 0

    def login(self, username: str) -> Login:
        """Return the login of that name; a new name makes a new login."""
        if (login := self._logins.get(username)) is None:
            login = self._logins[username] = Login(username, story_of(username))
        return login

    def open_session(self, options: Body, mode: str | None, connection: Connection | None) -> str:
        """Return a new link token."""
        token = self._token("link", "session", self._mint())
        self._sessions[token] = Session(self.now() + LINK_TOKEN_SECONDS, options, mode, connection)
        return token

    def session(self, link_token: str) -> Session:
        """Return the session of a link token; refuse an unknown or expired token."""
        session = self._sessions.get(link_token)
        if session is None or self.now() >= session.expires_at:
            raise refused("INVALID_LINK_TOKEN", "The link token is unknown or has expired")
        return session

    def add_connection(self, login: Login, source: Source, stages: Stages, started_at: float | None) -> Connection:
        """Return a new connection; without `started_at` its clock starts with the first product call."""
        login.links += 1
        what = (login.username, source.source_id, login.links)
        now = self.now()
        token, connection_id = self._token("access", *what), identifier("connection", *what)
        connection = Connection(login, source, token, connection_id, Walk(stages, started_at), started_at or now)
        self._connections[token] = login.newest = connection
        return connection

    def restart(self, connection: Connection, stages: Stages) -> None:
        """Start a new session of the connection, which is one more submission at the utility."""
        login = connection.login
        login.submissions += 1
        login.wrong = 0 if connection.password_right else login.wrong + 1
        connection.started_at = self.now()
        wrong: tuple[Stage, ...] = after_login(Stage(REFUSED))
        connection.walk = Walk(stages if connection.password_right else wrong, connection.started_at)

    def connection(self, access_token: str) -> Connection:
        """Return the connection of an access token."""
        if (connection := self._connections.get(access_token)) is not None:
            return connection
        if access_token.startswith(f"access-{self._environment}-"):
            raise refused("CONNECTION_NOT_FOUND", "No connection has this access token")
        raise refused("INVALID_ACCESS_TOKEN", "Not an access token of this environment")

    def forget(self, connection: Connection) -> None:
        """Delete a connection."""
        del self._connections[connection.access_token]

    def publish(self, connection: Connection) -> str:
        """Return a new public token for a connection."""
        token = self._token("public", "public", self._mint())
        self._publics[token] = PublicToken(connection, self.now() + PUBLIC_TOKEN_SECONDS)
        return token

    def public(self, public_token: str) -> Connection:
        """Return the connection of a public token that can still be exchanged."""
        public = self._publics.get(public_token)
        if public is None or self.now() >= public.expires_at:
            raise refused("INVALID_PUBLIC_TOKEN", "The public token is unknown, used or has expired")
        return public.connection

    def use_public(self, public_token: str) -> None:
        """Make a public token unknown."""
        del self._publics[public_token]

    def who(self, body: Body) -> str | None:
        """Return the username that a request is about, or None if its body does not tell."""
        if (connection := self._connection_of(body)) is not None:
            return connection.login.username
        source = SOURCES.get(str(body.get("source_id")).lower())
        names = {f["field_name"]: f["field_value"] for f in body.get("fields", ())}
        username = body.get("username", source and names.get(source.fields[0].name))
        return username if isinstance(username, str) else None

    def title(self, login: Login, connection: Connection | None) -> Title:
        """Return the title of the document that is delivered next to a login, through its connection if it has one."""
        story = login.story
        version = min(login.deliveries + 1, SHAPES[story.document].versions)
        source, selected = (connection.source, connection.selected) if connection else (ORDINARY, None)
        return Title(login.username, source, story.document, version, story.sizes or self.sizes, selected)

    def accounts(self, connection: Connection) -> list[str]:
        """Return the numbers of the accounts that the login sees at its utility."""
        login = connection.login
        if login.override is not None:
            return [str(a.get("account_number")) for a in login.override.get("accounts") or ()]
        sizes = login.story.sizes or self.sizes
        return [a.number for a in accounts_of(login.username, connection.source, sizes)]

    def utc(self, at: float) -> str:
        """Return a reading of the clock as an ISO 8601 date and time in UTC."""
        return (self._began + timedelta(seconds=at)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _connection_of(self, body: Body) -> Connection | None:
        update: Body = body.get("update") or body
        if (connection := self._connections.get(update.get("access_token", ""))) is not None:
            return connection
        holder = self._sessions.get(body.get("link_token", "")) or self._publics.get(body.get("public_token", ""))
        return holder.connection if holder else None

    def _mint(self) -> int:
        self._minted += 1
        return self._minted

    def _token(self, kind: str, *what: object) -> str:
        return f"{kind}-{self._environment}-{identifier(kind, *what)}"
