"""Every random draw of a trial comes from a seed of its own, derived by name.

So nothing depends on how much was drawn before: an epoch draws the same after a resume as without
one, and the state of a generator is kept only of an epoch that is not over.
"""

import hashlib


def derive(seed: int, *names: str | int) -> int:
    """A seed below 2**63 for one purpose of a trial, as `derive(seed, "epoch", 3)`."""
    text = ":".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1
