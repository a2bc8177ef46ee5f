"""Owns the desk's own certificate (证书): the side that shows it, and until when it is valid."""

from __future__ import annotations

import ssl
from pathlib import Path

from hotline.errors import BadSettings
from hotline.local_time import SECOND_US

_ROUNDS = 8
"""A handshake in memory has half as many."""


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """What a server needs to show the certificate; BadSettings when the files cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    load(context, certificate, key)
    return context


def load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Read the files, anew when they were renewed: whoever connects from now on sees them. BadSettings."""
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, FileNotFoundError | PermissionError) else "no such pair"
        raise BadSettings(
            f"desk.certificate {certificate} and desk.certificate_key {key} cannot be used ({why})"
        ) from error


def ends_us(certificate: Path, key: Path) -> int:
    """Until when the certificate is valid; BadSettings when it cannot be used.

    The library tells it of a certificate that somebody showed, so it is shown in memory.
    """
    seen = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    seen.check_hostname = False
    seen.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    shown = server_context(certificate, key)
    seen.load_verify_locations(certificate)
    there, here = ssl.MemoryBIO(), ssl.MemoryBIO()
    client, server = seen.wrap_bio(there, here), shown.wrap_bio(here, there, server_side=True)
    for side in (client, server) * _ROUNDS:
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            raise BadSettings(f"desk.certificate {certificate}: {error.verify_message}") from error
    found = client.getpeercert() or {}
    return int(ssl.cert_time_to_seconds(str(found["notAfter"]))) * SECOND_US


def _no_password() -> bytes:
    raise ValueError("a key with a password cannot be read at a start by itself")
