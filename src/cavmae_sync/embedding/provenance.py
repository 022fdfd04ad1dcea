"""Which weights vectors were made with."""

from cavmae_sync.model.fingerprint import weights_fingerprint

__all__ = ["weights_fingerprint"]
