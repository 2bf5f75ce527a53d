"""Authenticated encryption with the installation's secret key: one derived key per purpose."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bot.errors import Permanent

_NONCE_BYTES = 12


class AeadSealer:
    """See `bot.ports.Sealer`.

    Args:
        secret_key: the installation's key.
        purpose: what is sealed with the derived key; what was sealed for one purpose opens for no other.
    """

    def __init__(self, secret_key: bytes, purpose: str) -> None:
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"frontdesk {purpose}".encode())
        self._cipher = AESGCM(derived.derive(secret_key))

    def seal(self, value: bytes, bound_to: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value, bound_to.encode())

    def unseal(self, sealed: bytes, bound_to: str) -> bytes:
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to.encode())
        except (InvalidTag, ValueError):
            raise Permanent("not_unsealed") from None
