"""The simulator's accounts become accounts of the demo, through the same service as a person's would."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from threading import Event

from django.conf import settings

from accounts.crypto import fingerprint
from accounts.models import Account, User
from accounts.services.account import Wanted, add_account, edit_account
from algomirror.kernel import clock
from algomirror.kernel.errors import Misconfigured, Refused
from marketdata.instruments import import_instruments
from marketdata.models import Instrument

Say = Callable[[str], None]
NAMES = (
    "Paper Asha",
    "Paper Bala",
    "Paper Chitra",
    "Paper Devi",
    "Paper Esha",
    "Paper Farid",
    "Paper Gita",
    "Paper Hari",
)
PATIENCE_S = 60.0
RETRY_S = 0.5
SEED = 7


def all_accounts(say: Say) -> None:
    """Add what is missing, correct moved ports, import contracts when today's are not there. Raises Misconfigured."""
    owner = User.objects.filter(role=User.Role.OWNER).first()
    if owner is None:
        raise Misconfigured("There is no owner; start with `make demo`.")
    accounts = [_patiently(partial(_connect, owner, number, name), say) for number, name in enumerate(NAMES[: wanted()], 1)]
    say(f"{len(accounts)} paper accounts connected")
    if not Instrument.objects.filter(listed_on=clock.today()).exists():
        outcome = import_instruments(accounts[0].pk, actor="command:demo")
        say(f"{outcome.imported} contracts imported")


def wanted() -> int:
    """How many simulated accounts the demo has; 1 to 8."""
    if not 1 <= settings.DEMO_ACCOUNTS <= len(NAMES):
        raise Misconfigured(f"DEMO_ACCOUNTS is 1 to {len(NAMES)}, not {settings.DEMO_ACCOUNTS}.")
    return int(settings.DEMO_ACCOUNTS)


def key_of(number: int) -> str:
    """The simulator derives its keys from its seed; they open nothing else."""
    return hashlib.sha256(f"algomirror-sim:{SEED}:{number}".encode()).hexdigest()


def _wanted(number: int, name: str) -> Wanted:
    base = settings.SIM_PORT_BASE
    return Wanted(
        name=name,
        host_url=f"http://127.0.0.1:{base + 2 * number - 1}",
        websocket_url=f"ws://127.0.0.1:{base + 2 * number}",
        mode=Account.Mode.PAPER,
        key=key_of(number),
        backup_rank=number,
    )


def _connect(owner: User, number: int, name: str) -> Account:
    wanted = _wanted(number, name)
    known = Account.objects.filter(key_fingerprint=fingerprint(wanted.key), archived_at=None).first()
    if known is None:
        return add_account(owner, wanted)
    if (known.host_url, known.websocket_url) == (wanted.host_url, wanted.websocket_url):
        return known
    return edit_account(owner, known.pk, wanted, config_version=known.config_version)


def _patiently(connect: Callable[[], Account], say: Say) -> Account:
    """The simulator may still be starting: try until it answers, but not for ever."""
    give_up_at = clock.monotonic() + PATIENCE_S
    while True:
        try:
            return connect()
        except Refused as refusal:
            if clock.monotonic() > give_up_at:
                raise Misconfigured(f"The simulated account could not be connected: {refusal.message}") from None
            say(f"waiting for the simulator: {refusal.message} {refusal.fields or ''}")
            Event().wait(RETRY_S)
