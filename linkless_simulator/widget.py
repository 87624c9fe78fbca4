"""The imitation of the provider's browser form: its script, its frame, and the steps that have no endpoint of the API.

GET  /link-initialize.js   the script, with the interface of the provider's
GET  /link-widget          the page in its frame; it calls `/api/v1/link/*` with the link token, without keys
POST /link-widget          {link_token, answer}: a captcha solved, or the way chosen to get a code
"""

import json
from pathlib import Path

from linkless_simulator.answers import Answer, Refused, json_answer
from linkless_simulator.backend import Backend, Steps
from linkless_simulator.situations import CAPTCHA, MFA_CODE, MFA_METHOD, MFA_REPLY, READY
from linkless_simulator.stages import Stage

_FOLDER = Path(__file__).parent
_FILES = {
    "/link-initialize.js": ("widget.js", "text/javascript; charset=utf-8"),
    "/link-widget": ("widget.html", "text/html; charset=utf-8"),
}
PATHS = frozenset(_FILES)
_STEPS: Steps = {
    CAPTCHA: (("LINKLESS",), (Stage(READY),)),
    MFA_METHOD: (("Text message", "Email"), (Stage(MFA_CODE, MFA_REPLY), Stage(READY))),
}


def respond(backend: Backend, method: str, path: str, body: bytes) -> Answer:
    """Answer a request to one of the `PATHS`."""
    if method == "GET":
        name, kind = _FILES[path]
        return Answer(200, {"content-type": kind, "cache-control": "no-store"}, (_FOLDER / name).read_bytes())
    try:
        request = json.loads(body)
        backend.pass_step(request["link_token"], request["answer"], _STEPS)
    except Refused as refusal:
        return refusal.fault.answer()
    return json_answer({})
