"""Adding, changing, promoting and archiving accounts. The wire is asked before the transaction, never inside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction

from accounts import addresses, reads
from accounts.colours import PALETTE
from accounts.crypto import fingerprint, seal, unseal
from accounts.gateway.directory import gateway_for
from accounts.gateway.reports import Failed, Word
from accounts.models import Account, User
from accounts.services.connection import Tried, try_connection
from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict, Refused
from algomirror.ops import hooks, journal, push


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the form asks for. An empty key means: as it is."""

    name: str
    host_url: str
    websocket_url: str
    mode: str
    key: str = ""
    broker: str = ""
    backup_rank: int = 0
    orders_per_second: int = 10
    brokerage_per_order: Decimal = Decimal(20)
    holder: str = ""
    relation: str = Account.Relation.SELF
    registered_address: str | None = None

    def __repr__(self) -> str:
        return f"Wanted({self.name!r})"

    def fields(self) -> dict[str, Any]:
        """Columns as they will be stored, addresses normalised. Raises Refused."""
        return {
            "name": self.name.strip(),
            "host_url": addresses.host_url(self.host_url),
            "websocket_url": addresses.websocket_url(self.websocket_url),
            "mode": self.mode,
            "backup_rank": self.backup_rank,
            "orders_per_second": self.orders_per_second,
            "brokerage_per_order": self.brokerage_per_order,
            "holder": self.holder.strip(),
            "relation": self.relation,
            "registered_address": self.registered_address or None,
        }


def as_it_is(account: Account) -> Wanted:
    """What would change nothing; for doors that are told only what shall differ."""
    return Wanted(
        name=account.name,
        host_url=account.host_url,
        websocket_url=account.websocket_url,
        mode=account.mode,
        backup_rank=account.backup_rank,
        orders_per_second=account.orders_per_second,
        brokerage_per_order=account.brokerage_per_order,
        holder=account.holder,
        relation=account.relation,
        registered_address=account.registered_address,
    )


def add_account(owner: User, wanted: Wanted) -> Account:
    """Test, then create; the first account becomes primary by itself. Raises Refused or Conflict."""
    _only_owner(owner)
    key = wanted.key.strip()
    if len(key) < 10:
        raise Refused("An API key is needed.", fields={"key": "At least 10 characters."})
    account = Account(
        owner=owner, broker=wanted.broker, sealed_key=seal(key), key_fingerprint=fingerprint(key), **wanted.fields()
    )
    _check(account)
    tried = _tested(wanted, key)
    account.broker, account.link, account.last_good_at = tried.broker, Account.Link.UP, clock.now()
    with _clashes(account), transaction.atomic():
        account.is_primary = not Account.objects.filter(owner=owner, is_primary=True).exists()
        count = Account.objects.count()
        account.colour = count % len(PALETTE)
        account.backup_rank = account.backup_rank or count
        account.save(force_insert=True)
        _keep_funds(account.pk, tried)
        _say("account.added", owner, account, name=account.name, mode=account.mode, primary=account.is_primary)
    return account


def edit_account(actor: User, account_id: int, wanted: Wanted, *, config_version: int) -> Account:
    """Change what differs; a new host or key is tested first. Conflict when the row moved on since it was shown."""
    _only_owner(actor)
    before = _active(account_id)
    new = wanted.fields()
    key = wanted.key.strip()
    if key and len(key) < 10:
        raise Refused("The API key is too short.", fields={"key": "At least 10 characters."})
    changed = {name: (getattr(before, name), value) for name, value in new.items() if getattr(before, name) != value}
    is_new_key = bool(key) and fingerprint(key) != before.key_fingerprint
    if not changed and not is_new_key:
        return before
    if is_new_key:
        new |= {"sealed_key": seal(key), "key_fingerprint": fingerprint(key)}
    after = copy(before)
    for name, value in new.items():
        setattr(after, name, value)
    _check(after)
    tried: Tried | None = None
    if is_new_key or changed.keys() & {"host_url", "websocket_url", "mode"}:
        tried = _retested(before, wanted, key)
        new |= {"broker": tried.broker, "link": Account.Link.UP, "last_good_at": clock.now(), "failures_in_row": 0}
    with _clashes(after), transaction.atomic():
        row = Account.objects.filter(pk=account_id, config_version=config_version, archived_at=None)
        if not row.update(**new, last_failure="", config_version=models.F("config_version") + 1):
            raise Conflict("This account was changed meanwhile. Look at it again.")
        if tried is not None:
            _keep_funds(account_id, tried)
            _change_world(before, wanted, tried)
        changes = {name: [str(old), str(value)] for name, (old, value) in changed.items()}
        _say("account.edited", actor, before, key="changed" if is_new_key else "same", changes=changes)
    return Account.objects.get(pk=account_id)


def _change_world(before: Account, wanted: Wanted, tried: Tried) -> None:
    """What was read of the old server says nothing of the new one. Where something is open the world is the same, and what
    was read of it is what its orders are recognised by."""
    in_use = hooks.call("account_in_use", before.pk)
    if not in_use:
        hooks.call("books_forgotten", before.pk)
    elif wanted.mode != before.mode or tried.broker != before.broker:
        raise Conflict(f"Something was begun on this account just now: {in_use}")


def _retested(before: Account, wanted: Wanted, key: str) -> Tried:
    """Test the new address or key; an account in use may not change world or broker on the way."""
    in_use = hooks.call("account_in_use", before.pk)
    if in_use and wanted.mode != before.mode:
        raise Refused("The mode cannot change now.", fields={"mode": in_use})
    tried = _tested(wanted, key or unseal(before.sealed_key))
    if in_use and tried.broker != before.broker:
        raise Refused(f"Another broker ({tried.broker}) answers there, and this account is in use: {in_use}")
    return tried


def make_primary(actor: User, account_id: int) -> None:
    """The feed's source from now on; the former primary becomes a backup in the same moment."""
    _only_owner(actor)
    account = _active(account_id)
    try:
        with transaction.atomic():
            former = Account.objects.filter(owner_id=account.owner_id, is_primary=True).exclude(pk=account_id)
            names = list(former.values_list("name", flat=True))
            former.update(is_primary=False)
            if not Account.objects.filter(pk=account_id, archived_at=None).update(is_primary=True):
                raise Refused("This account is archived.")
            _say("account.primary", actor, account, before=names)
    except IntegrityError:
        raise Conflict("Another account was made primary at the same moment.") from None


def move_backup(actor: User, account_id: int, *, up: bool) -> None:
    """Swap places with the neighbour in the order in which backups take over the feed. At the end nothing moves."""
    _only_owner(actor)
    account = _active(account_id)
    with transaction.atomic():
        backups = Account.objects.filter(owner_id=account.owner_id, archived_at=None, is_primary=False)
        order = list(backups.order_by("backup_rank", "id").values_list("pk", flat=True))
        if account_id not in order:
            raise Refused("The primary has no place among the backups.")
        at = order.index(account_id)
        to = at - 1 if up else at + 1
        if not 0 <= to < len(order):
            return
        order[at], order[to] = order[to], order[at]
        for rank, pk in enumerate(order, 1):
            Account.objects.filter(pk=pk).exclude(backup_rank=rank).update(backup_rank=rank)
        _say("account.backup_order", actor, account, moved=(str(at + 1), str(to + 1)), order=order)


def set_entries_enabled(actor: User, account_id: int, enabled: bool) -> None:
    """Entries only: guards and exits of open books never look at this."""
    _only_owner(actor)
    account = _active(account_id)
    with transaction.atomic():
        if Account.objects.filter(pk=account_id, entries_enabled=not enabled).update(entries_enabled=enabled):
            _say("account.entries", actor, account, moved=("on", "off") if not enabled else ("off", "on"))


def archive_account(actor: User, account_id: int) -> None:
    """Out of use for ever, readable for ever. Refused while anything of it is open, here or at the broker."""
    _only_owner(actor)
    account = _active(account_id)
    if why := hooks.call("account_in_use", account_id):
        raise Refused(f"{account.name} cannot be archived: {why}")
    seen = _open_at_broker(account)
    with transaction.atomic():
        row = Account.objects.filter(pk=account_id, archived_at=None)
        if not row.update(archived_at=clock.now(), is_primary=False, entries_enabled=False):
            raise Conflict("It is archived already.")
        if why := hooks.call("account_in_use", account_id):
            raise Refused(f"{account.name} cannot be archived: {why}")
        heir = _promote_backup(account) if account.is_primary else None
        _say("account.archived", actor, account, broker_check=seen, new_primary=heir)


def _promote_backup(account: Account) -> str | None:
    backups = Account.objects.filter(owner_id=account.owner_id, archived_at=None).order_by("backup_rank", "id")
    heir = backups.filter(link=Account.Link.UP).first() or backups.first()
    if heir is None:
        return None
    Account.objects.filter(pk=heir.pk).update(is_primary=True)
    return heir.name


def _open_at_broker(account: Account) -> str:
    """What was asked of the broker. Raises Refused when it reports anything open; a dead server cannot veto."""
    door = gateway_for(account)
    positions, orders = door.position_book(), door.order_book()
    if not isinstance(positions, Failed) and (held := sum(1 for p in positions.value if p.units)):
        raise Refused(f"{account.name} cannot be archived: the broker reports {held} open position(s).")
    working = (Word.WORKING, Word.TRIGGER_PENDING, Word.UNKNOWN)
    if not isinstance(orders, Failed) and (live := sum(1 for o in orders.value if o.word in working)):
        raise Refused(f"{account.name} cannot be archived: the broker reports {live} working order(s).")
    failed = [a for a in (positions, orders) if isinstance(a, Failed)]
    return f"not answered: {failed[0].why}" if failed else "flat"


def _only_owner(actor: User) -> None:
    if not actor.is_owner:
        raise Refused("Only the owner may do this.")


def _active(account_id: int) -> Account:
    account = Account.objects.filter(pk=account_id, archived_at=None).first()
    if account is None:
        raise Refused("There is no such account in use.")
    return account


def _check(account: Account) -> None:
    """Field rules and uniqueness, as Refused with the form's field names."""
    try:
        # addresses.py judges hosts; Django's own rule refuses names without a dot, which containers have.
        account.clean_fields(exclude=["sealed_key", "owner", "host_url"])
        account.validate_unique(exclude=["owner"])
    except ValidationError as error:
        words = {name: " ".join(texts) for name, texts in error.message_dict.items()}
        if "key_fingerprint" in words:
            words["key"] = "This key is already used by another account."
            del words["key_fingerprint"]
        raise Refused("The account was not saved.", fields=words) from None


def _tested(wanted: Wanted, key: str) -> Tried:
    tried = try_connection(host_url=wanted.host_url, websocket_url=wanted.websocket_url, key=key)
    if not tried.is_good:
        raise Refused(f"The connection test failed. {tried.trouble}")
    if tried.mode != wanted.mode:
        said = f"The server is in {tried.mode} mode, and this account expects {wanted.mode}."
        raise Refused(said, fields={"mode": said})
    return tried


def _keep_funds(account_id: int, tried: Tried) -> None:
    if tried.funds is not None:
        reads.store_funds(account_id, tried.funds)


def _say(kind: str, actor: User, account: Account, moved: tuple[str, str] | None = None, **numbers: Any) -> None:
    journal.record(
        kind,
        actor=f"user:{actor.username}",
        subject=f"account:{account.name}"[:80],
        account_id=account.pk,
        moved=moved,
        **numbers,
    )
    push.push("accounts", "changed")


@contextmanager
def _clashes(account: Account) -> Iterator[None]:
    """Turns a lost race for a name, a key or the primary seat into words."""
    try:
        yield
    except IntegrityError:
        others = Account.objects.exclude(pk=account.pk)
        if others.filter(name=account.name).exists():
            raise Refused("The account was not saved.", fields={"name": "This name is taken."}) from None
        if others.filter(key_fingerprint=account.key_fingerprint).exists():
            raise Refused("The account was not saved.", fields={"key": "This key is already used by another account."}) from None
        raise Conflict("Another change came between. Try again.") from None
