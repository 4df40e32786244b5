from __future__ import annotations

import io
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from accounts import rotation
from accounts.crypto import unseal
from accounts.models import Account, SecondFactor, User
from algomirror.ops.models import Journal
from tests import cast
from tests.security.enrolled import enrol

pytestmark = pytest.mark.django_db

NEW = Fernet.generate_key().decode()


@pytest.fixture
def sealed(alice: User, settings: Any) -> Account:
    """A key and a second factor under the old key, and a new key put in front."""
    account = cast.account(owner=alice)
    enrol(alice)
    settings.FERNET_KEYS = [NEW, *settings.FERNET_KEYS]
    return account


def rotate(*arguments: str) -> str:
    out = io.StringIO()
    call_command("rotate_keys", *arguments, stdout=out)
    return out.getvalue()


def test_everything_sealed_opens_with_the_new_key_alone_afterwards(sealed: Account, settings: Any) -> None:
    before = unseal(sealed.sealed_key)
    assert "2 sealed anew" in rotate()
    settings.FERNET_KEYS = [NEW]
    sealed.refresh_from_db()
    assert unseal(sealed.sealed_key) == before
    assert unseal(SecondFactor.objects.get().sealed_secret)
    assert sealed.config_version == 1, "no client has to be made anew: the key is the same"


def test_a_second_run_has_nothing_to_do(sealed: Account) -> None:
    rotate()
    kept = bytes(Account.objects.get().sealed_key)
    assert "0 sealed anew, 2 were" in rotate()
    assert bytes(Account.objects.get().sealed_key) == kept


def test_check_says_whether_the_old_key_may_go_and_changes_nothing(sealed: Account) -> None:
    kept = bytes(sealed.sealed_key)
    with pytest.raises(CommandError, match="2 sealed values"):
        rotate("--check")
    assert bytes(Account.objects.get().sealed_key) == kept
    rotate()
    assert "older keys may go" in rotate("--check")


def test_a_key_that_was_taken_away_too_early_is_named_and_nothing_is_lost(sealed: Account, settings: Any) -> None:
    kept = bytes(sealed.sealed_key)
    settings.FERNET_KEYS = [NEW]
    with pytest.raises(CommandError, match="removed too early"):
        rotate()
    assert bytes(Account.objects.get().sealed_key) == kept


def test_a_key_typed_meanwhile_is_not_overwritten(sealed: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner saves a new key between our reading and our writing."""
    real = rotation.reseal

    def slowly(kept: bytes) -> bytes:
        if bytes(kept) == bytes(sealed.sealed_key):
            Account.objects.update(sealed_key=b"typed meanwhile")
        return real(kept)

    monkeypatch.setattr(rotation, "reseal", slowly)
    assert rotation.rotate(actor="test").moved == 1
    assert bytes(Account.objects.get().sealed_key) == b"typed meanwhile"


def test_every_sealed_column_of_every_room_is_found() -> None:
    found = {f"{model._meta.label}.{name}" for model, name in rotation.sealed_fields()}
    assert {"accounts.Account.sealed_key", "accounts.SecondFactor.sealed_secret"} <= found


def test_it_is_journaled_with_counts_only(sealed: Account) -> None:
    rotate()
    row = Journal.objects.get(kind="keys.rotated")
    assert row.numbers["resealed"] == 2 and NEW not in repr(row.numbers)
