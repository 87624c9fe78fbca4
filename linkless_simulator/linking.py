"""The rules of `/link/*`: from a link token to a submitted login (API notes, sections 2.1 to 2.6)."""

from linkless_simulator.answers import Fault, Refused, refused
from linkless_simulator.bills import identifier
from linkless_simulator.sources import SOURCES, Field, Source, find
from linkless_simulator.stages import Walk
from linkless_simulator.state import Body, Connection, Login, Session, World


def create_token(world: World, body: Body) -> Body:
    """Open a link session, in update mode for an existing connection."""
    options = {name: value for name, value in body.items() if name != "update"}
    update = body.get("update")
    if update is None:
        return {"link_token": world.open_session(options, None, None)}
    connection = world.connection(update["access_token"])
    return {"link_token": world.open_session(options, update["mode"], connection)}


def list_sources(world: World, body: Body) -> Body:
    """Find utilities and the fields of their login forms."""
    world.session(body["link_token"])
    return {"sources": [source.as_answer() for source in find(body.get("source_id"), body.get("search"))]}


def connect(world: World, body: Body) -> Body:
    """Submit a login. A session accepts one login, and a second only after InvalidCredentials."""
    session = world.session(body["link_token"])
    source = SOURCES.get(body["source_id"].lower())
    if source is None:
        raise refused("INVALID_SOURCE", "No source has this id")
    if session.connected and not _was_refused(world, session):
        raise refused("INVALID_LINK_TOKEN", "This link session has been used")
    connection = _submit(world, session, source, body)
    session.connected = True
    answer: Body = {"job_guid": connection.connection_id}
    return answer if session.mode else {"public_token": world.publish(connection), **answer}


def status(world: World, body: Body) -> Body:
    """Return the status of the login; this counts as a poll."""
    session = world.session(body["link_token"])
    if not session.connected or session.connection is None:
        return {"status": "New", "additional_information": None}
    word = session.connection.walk.see(world.now()).status
    if isinstance(word, Fault):
        raise Refused(word)
    return {"status": word, "additional_information": None}


def question(world: World, body: Body) -> Body:
    """Return the pending question."""
    return {"question": _walk(world, body).question(world.now())}


def answer(world: World, body: Body) -> None:
    """Answer the pending question."""
    _walk(world, body).answer(body["answer"], world.now())


def list_accounts(world: World, body: Body) -> Body:
    """List the accounts to choose from."""
    connection = _choosing(world, body)
    ids = _account_ids(world, connection)
    return {"accounts": [{"account_id": i, "account_number": n, "account_address": None} for i, n in ids.items()]}


def select_accounts(world: World, body: Body) -> None:
    """Choose accounts; leaving them out chooses all."""
    connection = _choosing(world, body)
    ids = _account_ids(world, connection)
    chosen = body.get("accounts", list(ids))
    if not chosen or any(i not in ids for i in chosen):
        raise refused("INVALID_ACCOUNT_ID", "An account of this list is unknown")
    connection.selected = frozenset(ids[i] for i in chosen)
    connection.walk.chosen(world.now())


def _submit(world: World, session: Session, source: Source, body: Body) -> Connection:
    """Check the fields of the login, then submit it to the utility."""
    if session.mode == "Refresh" and session.connection is not None:
        world.restart(session.connection, session.connection.login.story.refreshed)
        return session.connection
    username = world.who({name: body[name] for name in ("source_id", "username", "fields") if name in body})
    login = world.login(username or "")
    values = _values(source, login, body)
    if login.story.connect is not None:
        raise Refused(login.story.connect)
    if login.locked:
        raise refused("CONNECTION_LOCKED", "The account is locked after too many wrong passwords")
    login.options = session.options
    connection = session.connection or world.add_connection(login, source, login.story.stages, world.now())
    session.connection, connection.login, connection.source = connection, login, source
    connection.password_right = all(f.right in (None, values[f.name]) for f in _form(source, login))
    world.restart(connection, login.story.stages)
    return connection


def _values(source: Source, login: Login, body: Body) -> dict[str, str]:
    """Return the login's fields by name, or refuse a form that does not fit the source."""
    form = [field.name for field in _form(source, login)]
    if "fields" not in body:
        if not source.flat or login.story.flat_refused or login.story.wants:
            raise refused("VALIDATION_FAILED", "body: fields is missing; username, password are unknown")
        return dict(zip(form, (body["username"], body["password"]), strict=True))
    values = {field["field_name"]: field["field_value"] for field in body["fields"]}
    if wrong := sorted(set(form) ^ set(values)):
        raise refused("VALIDATION_FAILED", f"body.fields: {', '.join(wrong)} is missing or unknown")
    return values


def _form(source: Source, login: Login) -> tuple[Field, ...]:
    return source.fields + tuple(field for field in login.story.wants if field not in source.fields)


def _was_refused(world: World, session: Session) -> bool:
    return session.connection is not None and session.connection.walk.peek(world.now()).status == "InvalidCredentials"


def _connected(world: World, body: Body) -> Connection:
    session = world.session(body["link_token"])
    if not session.connected or session.connection is None:
        raise refused("INVALID_LINK_TOKEN", "Nothing has been submitted in this link session")
    return session.connection


def _walk(world: World, body: Body) -> Walk:
    return _connected(world, body).walk


def _choosing(world: World, body: Body) -> Connection:
    connection = _connected(world, body)
    if not connection.walk.choosing(world.now()):
        raise refused("INVALID_ARGUMENT", "This link session does not wait for a selection")
    return connection


def _account_ids(world: World, connection: Connection) -> dict[str, str]:
    return {identifier("account", connection.connection_id, number): number for number in world.accounts(connection)}
