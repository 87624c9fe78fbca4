"""The situations of the stories: a link status, connection status, reason and product answer that fit together.

API notes, section 3.1, say which reason belongs to which connection status. The pairs of link status and reason, and
the answer of the product after a failed login, are assumptions: no published page shows them together.
"""

from linkless_simulator.answers import Fault
from linkless_simulator.stages import Reply, Situation

NOT_READY = Fault("PRODUCT_NOT_READY")

CONNECTING = Situation("Connecting", "Connecting", "Connecting", NOT_READY)
EXTRACTING = Situation("Connected", "Connected", "ConnectedWaitingOnDataExtraction", NOT_READY)
READY = Situation("Connected", "Connected", "DataFound")
REFUSED = Situation("InvalidCredentials", "Disconnected", "InvalidCredentials", Fault("INVALID_CREDENTIALS"))
FAILED = Situation("Error", "Error", "Error", Fault("CONNECTION_FAILED"))
FAILED_WITH_DATA = Situation("Error", "Error", "Error")

MFA_CODE = Situation("MfaQuestion", "Connecting", "MfaCodeRequired", NOT_READY)
MFA_WRONG = Situation("MfaQuestionInvalidAnswer", "Connecting", "MfaCodeInvalid", NOT_READY)
MFA_LATE = Situation("MfaQuestionNoAnswer", "Disconnected", "MfaCodeTimeout", NOT_READY)
MFA_LATE_WITH_DATA = Situation("MfaQuestionNoAnswer", "Disconnected", "MfaCodeTimeout")
MFA_METHOD = Situation("MfaMethodChoice", "Connecting", "MfaMethodChoiceRequired", NOT_READY)
CAPTCHA = Situation("Captcha", "Connecting", "MfaActionRequired", NOT_READY)
SECURITY = Situation("SecurityQuestion", "Connecting", "SecurityAnswerRequired", NOT_READY)
SECURITY_WRONG = Situation("MfaQuestionInvalidAnswer", "Connecting", "SecurityAnswerInvalid", NOT_READY)
SECURITY_LATE = Situation("MfaQuestionNoAnswer", "Disconnected", "SecurityQuestionTimeout", NOT_READY)
SELECTION = Situation("AccountSelection", "Connecting", "AccountSelectionRequired", NOT_READY)

MFA_REPLY = Reply("Enter the code sent to the phone ending in 42", "123456", MFA_WRONG, MFA_LATE)
SECURITY_REPLY = Reply("What was the name of your first pet?", "rex", SECURITY_WRONG, SECURITY_LATE)


def working(reason: str) -> Situation:
    """Return a linked connection whose product is not ready, for `reason`."""
    return Situation("Connected", "Connected", reason, NOT_READY)


def product_says(fault: Fault, reason: str = "DataFound") -> Situation:
    """Return a linked connection whose product answers `fault`."""
    return Situation("Connected", "Connected", reason, fault)
