"""Owns the signature of what a webhook is sent, after Standard Webhooks (standardwebhooks.com). Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac


def headers(key: bytes, hook_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """The headers of one try at `at_s` (Unix seconds)."""
    signed = f"{hook_id}.{at_s}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "content-type": "application/json",
        "user-agent": "hotline-12345",
        "webhook-id": hook_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{signature}",
    }
