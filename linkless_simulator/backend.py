"""The simulated API without HTTP: checks keys and contract, applies the rule of the path, and keeps a journal.

    answer() -> keys -> contract -> planned fault? -> rule of the path -> journal

One lock guards all state; checking requests and building documents happen outside it.
"""

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from threading import Lock

from linkless_simulator import connections, linking
from linkless_simulator.answers import JSON, Answer, Fault, Refused, json_answer, refused
from linkless_simulator.bills import Document, Sizes
from linkless_simulator.connections import Delivery, FileDelivery
from linkless_simulator.contract import Contract, shipped_contract
from linkless_simulator.faults import Planned
from linkless_simulator.files import PDF, PNG, pdf_of, png
from linkless_simulator.journal import Entry
from linkless_simulator.library import Library, serialise
from linkless_simulator.scenarios import STORIES
from linkless_simulator.sources import ORDINARY, Source
from linkless_simulator.stages import Situation, Stage, Walk
from linkless_simulator.state import Body, World
from linkless_simulator.story import Story

CLIENT_ID = "51a7ed00-c11e-4d1d-8c11-51a7edc11e17"
SECRET = "51a7ed00-5ec2-4e75-8ec2-51a7ed5ec2e7"
SECONDS_PER_DAY = 86_400

Rule = Callable[[World, Body], Body | Delivery | FileDelivery | None]

RULES: Mapping[str, Rule] = {
    "/test/api_keys": lambda _world, _body: None,
    "/link/token/create": linking.create_token,
    "/link/sources": linking.list_sources,
    "/link/connect": linking.connect,
    "/link/connection/status": linking.status,
    "/link/authentication/mfa/get": linking.question,
    "/link/authentication/mfa/answer": linking.answer,
    "/link/account/list": linking.list_accounts,
    "/link/account/select": linking.select_accounts,
    "/connection/public_token/exchange": connections.exchange,
    "/connection/context": connections.context,
    "/connection/refresh": connections.refresh,
    "/connection/destroy": connections.destroy,
    "/sustainability/get": connections.product,
    "/sustainability/statement/file": connections.statement_file,
}


Steps = Mapping[Situation | None, tuple[tuple[str, ...], tuple[Stage, ...]]]
"""By situation: the answers that are right, and how the login goes on after one."""


class Backend:
    """All state and rules of one simulated provider."""

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        *,
        today: date | None = None,
        sizes: Sizes = Sizes(),  # noqa: B008 - a frozen value
        environment: str = "sandbox",
        max_document_bytes: int = 64 * 2**20,
        contract: Contract | None = None,
    ) -> None:
        """Start with no sessions, connections or journal.

        `now` returns the time in seconds. `today` (default: the real date) is the day up to which bills are made.
        `sizes` apply to documents whose story has no sizes. `max_document_bytes` limits the memory for documents.
        """
        began = datetime.combine(today, time_of_day(12), UTC) if today else datetime.now(UTC)
        self._world = World(now, began, environment, sizes)
        self._library = Library(began.date(), max_document_bytes)
        self._contract = contract or shipped_contract()
        self._keys: tuple[str, str] | None = (CLIENT_ID, SECRET)
        self._planned: list[Planned] = []
        self._journal: list[Entry] = []
        self._lock = Lock()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request; `path` is the one below the base address, as in the contract."""
        return self.answer_as(None, method, path, headers, body)

    def answer_as(
        self, planned: Planned | None, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Answer one request with `planned`, or as planned for its path."""
        request, refusal = self._admitted(method, path, headers, body)
        with self._lock:
            username = self._world.who(request)
            plan = planned or self._take_plan(path, username)
            outcome = self._carry_out(path, request, refusal, plan)
        real = outcome if isinstance(outcome, Answer) else self._deliver(outcome)
        reply = plan.instead_of(real) if plan else real
        with self._lock:
            self._record(path, username, reply)
            number = len(self._journal)
        return replace(reply, headers=reply.headers | {"x-request-id": f"sim-{number:08d}"})

    @property
    def journal(self) -> list[Entry]:
        """A copy of the requests so far, in the order of their answers."""
        with self._lock:
            return list(self._journal)

    def count(self, path: str, username: str | None = None) -> int:
        """Return how many requests to `path` (and about the login `username`, if given) the journal holds."""
        return sum(entry.path == path and username in (None, entry.username) for entry in self.journal)

    def submissions(self, username: str) -> int:
        """Return how often this login was submitted to the utility: accepted connects, and refreshes."""
        with self._lock:
            return self._world.login(username).submissions

    def connection_id(self, username: str) -> str | None:
        """Return the identifier of the newest connection of this login, None when it was never linked."""
        with self._lock:
            newest = self._world.login(username).newest
        return None if newest is None else newest.connection_id

    def link_options(self, username: str) -> Body:
        """Return the options of the link token of this login's newest connect (`auto_refresh`, ...)."""
        with self._lock:
            return dict(self._world.login(username).options)

    def tell(self, username: str, story: str | Story) -> None:
        """Give a login another story than that of its name, from its next session on."""
        with self._lock:
            self._world.login(username).story = STORIES[story] if isinstance(story, str) else story

    def link(
        self,
        username: str,
        story: str | Story | None = None,
        *,
        source: Source = ORDINARY,
        days_ago: float = 0.0,
    ) -> str:
        """Return the access token of a connection that was linked `days_ago`, without a request.

        The login and the counted waits of its story are over. Waits by the clock start with the first product call.
        The token depends only on the login, the source and how often it was linked, so a second simulator gives the
        same one.
        """
        if story is not None:
            self.tell(username, story)
        with self._lock:
            login = self._world.login(username)
            connection = self._world.add_connection(login, source, login.story.linked_stages(), None)
            connection.started_at -= days_ago * SECONDS_PER_DAY
            return connection.access_token

    def document(self, username: str) -> Document:
        """Return a copy of the document of the next delivery to this login."""
        with self._lock:
            login = self._world.login(username)
            override, title = login.override, self._world.title(login, login.newest)
        return copy.deepcopy(override) if override is not None else self._library.build(title)

    def deliver(self, username: str, document: Document) -> None:
        """Deliver `document` to this login from now on, instead of the documents of its story."""
        with self._lock:
            self._world.login(username).override = copy.deepcopy(document)

    def fail_next(
        self,
        path: str,
        status: int = 500,
        *,
        code: str | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        times: int = 1,
    ) -> None:
        """Answer the next `times` requests to `path` with an error object of `code`, or with `body`.

        The requests are not carried out. `plan` can do the same for one login, and can drop or delay an answer, or
        carry the request out and lose its answer.
        """
        fault = Fault(code, status, tuple((headers or {}).items()), None if code else body)
        self.plan(Planned(path, fault.answer(), times))

    def plan(self, planned: Planned) -> None:
        """Answer the next requests that fit `planned` accordingly; plans are used in the order they were made."""
        with self._lock:
            self._planned.append(planned)

    def revoke_keys(self) -> None:
        """Answer 401 from now on wherever keys are needed."""
        self._keys = None

    def pass_step(self, link_token: str, answer: str, steps: Steps) -> None:
        """Answer what a login in a browser waits for; `steps` has the right answers by situation, and what follows.

        Raises Refused when the answer is wrong, or nothing waits for one.
        """
        with self._lock:
            connection = self._world.session(link_token).connection
            shown = connection.walk.peek(self._world.now()) if connection else None
            answers, stages = steps.get(shown, ((), ()))
            if connection is None or answer not in answers:
                raise refused("INVALID_ARGUMENT", "That is not the answer")
            connection.walk = Walk(stages, self._world.now())

    def unlock(self, username: str) -> None:
        """Unlock the account: the utility accepts passwords of this login again."""
        with self._lock:
            self._world.login(username).wrong = 0

    def _admitted(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[Body, Refused | None]:
        try:
            return self._admit(method, path, {name.lower(): value for name, value in headers.items()}, body), None
        except Refused as refusal:
            return {}, refusal

    def _admit(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Body:
        operation = self._contract.operations.get((method, path))
        if operation is None:
            raise Refused(Fault(None, 404, body=b'{"message":"No such operation"}'))
        given = (headers.get("x-deck-client-id"), headers.get("x-deck-secret"))
        if operation.needs_keys and given != self._keys:
            raise Refused(Fault(None, 401, body=b'{"message":"Unauthorized"}'))
        return self._contract.read(method, path, headers.get("content-type", ""), body)

    def _take_plan(self, path: str, username: str | None) -> Planned | None:
        plan = next((plan for plan in self._planned if plan.fits(path, username)), None)
        if plan is not None:
            plan.times -= 1
            self._planned = [plan for plan in self._planned if plan.times > 0]
        return plan

    def _carry_out(
        self, path: str, request: Body, refusal: Refused | None, plan: Planned | None
    ) -> Answer | Delivery | FileDelivery:
        if plan is not None and plan.suppresses:
            return Answer(0)
        try:
            if refusal is not None:
                raise refusal
            result = RULES[path](self._world, request)
        except Refused as error:
            return error.fault.answer()
        return result if isinstance(result, Delivery | FileDelivery) else json_answer(result)

    def _record(self, path: str, username: str | None, told: Answer) -> None:
        self._journal.append(Entry(path, told.status, told.code, username, self._world.now(), told.problem))

    def _deliver(self, delivery: Delivery | FileDelivery) -> Answer:
        if isinstance(delivery, FileDelivery):
            return self._deliver_file(delivery)
        override = delivery.override
        body = self._library.body(delivery.title) if override is None else serialise(override)
        return Answer(200, {"content-type": JSON}, body)

    def _deliver_file(self, delivery: FileDelivery) -> Answer:
        documents = (
            one.override if one.override is not None else self._library.build(one.title) for one in delivery.documents
        )
        bills = (
            bill
            for one in documents
            for account in one.get("accounts") or ()
            for bill in account.get("statements") or ()
        )
        bill = next((bill for bill in bills if bill.get("statement_id") == delivery.statement_id), None)
        if bill is None:
            return Fault("INVALID_STATEMENT_ID", message="No statement has this id").answer()
        if delivery.is_picture:
            return Answer(200, {"content-type": PNG}, png())
        return Answer(200, {"content-type": PDF}, pdf_of(bill))
