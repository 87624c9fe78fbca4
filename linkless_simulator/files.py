"""The file of a bill: a small PDF that says what the bill says, or a picture of nothing.

The bytes depend on the bill alone, so a file that is fetched twice has the same checksum.
"""

import struct
import zlib
from collections.abc import Mapping
from typing import Any

PDF, PNG = "application/pdf", "image/png"
_FIELDS = (
    "account_number",
    "statement_number",
    "billing_date",
    "billing_period_start_date",
    "billing_period_end_date",
    "total_due_amount",
    "currency_code",
)


def pdf_of(bill: Mapping[str, Any]) -> bytes:
    """Return a PDF of one page with the most important fields of a bill."""
    lines = ["Utility bill (simulated)", *(f"{name}: {bill[name]}" for name in _FIELDS if bill.get(name) is not None)]
    text = "".join(f"({_escaped(line)}) Tj T*\n" for line in lines)
    stream = f"BT /F1 11 Tf 14 TL 72 770 Td\n{text}ET".encode("cp1252", "replace")
    return _assembled(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _assembled(*objects: bytes) -> bytes:
    """Return a file of numbered objects with their table of offsets (ISO 32000-1, section 7.5)."""
    whole, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(whole))
        whole += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size, start = len(objects) + 1, len(whole)
    whole += b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, table)
    whole += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
    return bytes(whole)


def png() -> bytes:
    """Return a picture of one white pixel."""
    parts = {b"IHDR": struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0), b"IDAT": zlib.compress(b"\0\xff"), b"IEND": b""}
    chunks = (struct.pack(">I", len(data)) + kind + data + _sum(kind + data) for kind, data in parts.items())
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _sum(data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(data))
