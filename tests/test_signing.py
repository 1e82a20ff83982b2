"""The keys that are made from a deployment's secrets."""

import pytest

from signoff.errors import Forbidden
from signoff.signing import Keyring, new_jti


def test_keys_for_one_purpose_are_of_no_use_for_another() -> None:
    keys = Keyring((b"n" * 32,))
    assert len({keys.signing, keys.of("link").signing, keys.of("token").signing}) == 3


def test_what_was_signed_before_a_rotation_is_still_good() -> None:
    before, after = Keyring((b"o" * 32,)), Keyring((b"n" * 32, b"o" * 32))
    assert before.of("link").signing in after.of("link").secrets
    assert before.of("link").signing != after.of("link").signing


@pytest.mark.parametrize("secrets", [(), (b"short",), (b"n" * 32, b"short")])
def test_a_secret_that_could_be_guessed_is_refused(secrets: tuple[bytes, ...]) -> None:
    with pytest.raises(Forbidden):
        Keyring(secrets)


def test_secrets_are_not_in_what_is_printed() -> None:
    assert "nnnn" not in repr(Keyring((b"n" * 32,)))


def test_what_is_signed_is_named_so_that_no_shell_takes_it_for_an_option() -> None:
    made = {new_jti() for _ in range(1_000)}
    assert len(made) == 1_000
    assert all(one.isascii() and one.isalnum() for one in made)
