"""A document of the provider becomes the rows of five streams.

    body ─► read_document ─► Document.accounts() ─► Account.statements ─► Statement.row(), .charges(), .payments()
            cut, not decoded  one at a time          a bill is decoded     text that is copied into records

What identifies accounts and bills, which value fits which column, what is done with personal data, and what could not
be shown (`Document.findings`) is decided here. `content` has what streams and sync need to compare and write: hashes,
and rows as text.
"""

from source_linkless.bills import content
from source_linkless.bills.bill import Statement
from source_linkless.bills.documents import Account, Document, UnreadableDocument, read_document
from source_linkless.bills.personal import Personal

__all__ = ["Account", "Document", "Personal", "Statement", "UnreadableDocument", "content", "read_document"]
