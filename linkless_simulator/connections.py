"""The rules of `/connection/*` and of the product (API notes, sections 2.3, 3 and 4.1)."""

from dataclasses import dataclass, field, replace

from linkless_simulator.answers import Refused
from linkless_simulator.bills import Document
from linkless_simulator.library import Title
from linkless_simulator.state import Body, World


@dataclass(frozen=True, slots=True)
class Delivery:
    """A document to deliver: its title, or a document given by a test."""

    title: Title
    override: Document | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class FileDelivery:
    """The file of one statement to deliver; the statement is in one of the documents, or nowhere."""

    documents: tuple[Delivery, ...]
    statement_id: str
    is_picture: bool


def exchange(world: World, body: Body) -> Body:
    """Exchange a public token, once, for the access token."""
    connection = world.public(body["public_token"])
    if connection.login.story.exchange is not None:
        raise Refused(connection.login.story.exchange)
    world.use_public(body["public_token"])
    entered = {"field_name": connection.source.fields[0].name, "field_value": connection.login.username}
    return {
        "access_token": connection.access_token,
        "connection_id": connection.connection_id,
        "fields": [entered],
    }


def context(world: World, body: Body) -> Body:
    """Return the status of a connection; until the login has worked, this counts as a poll."""
    connection = world.connection(body["access_token"])
    situation = connection.walk.see(world.now())
    if situation.context is not None:
        raise Refused(situation.context)
    known = situation.linked and connection.login.story.promises_accounts
    numbers = world.accounts(connection) if known else []
    return {
        "connection_id": connection.connection_id,
        "provider": {"id": connection.source.source_id, "name": connection.source.name},
        "connection_status": situation.connection,
        "connection_status_timestamp": world.utc(connection.started_at),
        "connection_status_reason": situation.reason,
        "num_of_entities": len(numbers),
        "entities": [{"account_number": number} for number in numbers],
    }


def refresh(world: World, body: Body) -> None:
    """Start a new session with the stored login. `account_numbers` is accepted and ignored."""
    connection = world.connection(body["access_token"])
    story = connection.login.story
    forgotten = connection.walk.peek(world.now()).context
    if fault := story.refresh or forgotten:
        raise Refused(fault)
    world.restart(connection, story.refreshed)


def destroy(world: World, body: Body) -> None:
    """Delete a connection."""
    world.forget(world.connection(body["access_token"]))


def product(world: World, body: Body) -> Delivery:
    """Deliver the document of the connection, or refuse with the reason."""
    connection = world.connection(body["access_token"])
    situation = connection.walk.see(world.now(), product=True)
    if situation.product is not None:
        raise Refused(situation.product)
    title = world.title(connection.login, connection)
    connection.login.deliveries += 1
    return Delivery(title, connection.login.override)


def statement_file(world: World, body: Body) -> FileDelivery:
    """Deliver the file of a statement that was delivered, or is delivered next."""
    connection = world.connection(body["access_token"])
    situation = connection.walk.peek(world.now())
    if refusal := situation.product or connection.login.story.file:
        raise Refused(refusal)
    following = Delivery(world.title(connection.login, connection), connection.login.override)
    newest = replace(following.title, version=max(1, min(connection.login.deliveries, following.title.version)))
    documents = (Delivery(newest, following.override), following)
    return FileDelivery(documents, body["statement_id"], connection.login.story.pictures)
