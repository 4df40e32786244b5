"""The market calendar: everybody signed in may read it, the owner edits it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from marketdata import timetable
from marketdata.calendar import EXCHANGES
from marketdata.calendar_page import calendar_page
from marketdata.domain.timetable import Entry, written
from marketdata.forms_calendar import FORMS, ChosenForm, EntryForm, FileForm, RetireForm, ServerForm
from marketdata.models import CalendarProposal


def owner(request: HttpRequest) -> str:
    """The journal's name of the owner; PermissionDenied for everybody else."""
    if not (isinstance(request.user, User) and request.user.is_owner):
        raise PermissionDenied
    return f"user:{request.user.username}"


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    return _page(request, {})


def _page(request: HttpRequest, forms: dict[str, EntryForm], *, status: int = 200) -> HttpResponse:
    exchange = request.GET.get("exchange", "NFO")
    if exchange not in EXCHANGES:
        raise Refused(f"The exchange is one of {', '.join(EXCHANGES)}.", fields={"exchange": "unknown"})
    may_edit = isinstance(request.user, User) and request.user.is_owner
    kind, form = _edited(request)
    shown = {name: forms.get(name) or FORMS[name]() for name in FORMS} | ({kind: form} if form and kind not in forms else {})
    context = {
        "exchanges": EXCHANGES,
        "exchange": exchange,
        "page": calendar_page(exchange, clock.now()),
        "may_edit": may_edit,
        "holiday_form": shown["HOLIDAY"],
        "special_form": shown["SPECIAL"],
        "hours_form": shown["HOURS"],
        "cutoff_form": shown["CUTOFF"],
        "file_form": FileForm(),
        "server_form": ServerForm(),
        "editing": kind or next(iter(forms), ""),
    }
    return render(request, "marketdata/calendar.html", context, status=status)


def _edited(request: HttpRequest) -> tuple[str, EntryForm | None]:
    """The form of the row that `?edit=KIND-12` names."""
    kind, _, row_id = request.GET.get("edit", "").partition("-")
    if kind not in FORMS or not row_id.isdecimal():
        return "", None
    row: Any = timetable.MODELS[kind]._default_manager.filter(pk=int(row_id)).first()
    if row is None:
        raise Http404
    form = FORMS[kind](initial=FORMS[kind].of(row))
    form.lock()
    return kind, form


@require_POST
def put(request: HttpRequest, kind: str) -> HttpResponse:
    actor = owner(request)
    if kind not in FORMS:
        raise Http404
    form = FORMS[kind](request.POST)
    if not form.is_valid():
        return _page(request, {kind: form}, status=422)
    timetable.put_all(form.entries(), actor=actor)
    messages.info(request, "Saved. It counts in every process within a second.")
    return _back(form.cleaned_data["exchanges"][0])


@require_POST
def retire(request: HttpRequest) -> HttpResponse:
    actor = owner(request)
    form = RetireForm(request.POST)
    if not form.is_valid():
        raise Refused("The form was not understood.", fields=dict.fromkeys(form.errors, "wrong"))
    said = form.cleaned_data
    timetable.retire(said["kind"], said["row"], actor=actor, last_day=said["last_day"])
    messages.info(request, "Retired. It stays on record.")
    return _back(timetable.MODELS[said["kind"]]._default_manager.values_list("exchange", flat=True).get(pk=said["row"]))


def _back(exchange: str) -> HttpResponse:
    response = redirect("calendar")
    response["Location"] += f"?exchange={exchange}"
    return response


@require_safe
def export(request: HttpRequest) -> HttpResponse:
    """All exchanges, in the columns that the import takes."""
    name = f"calendar-{clock.today().isoformat()}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(written(timetable.entries()), content_type="text/csv; charset=utf-8", headers=headers)


@require_POST
def import_file(request: HttpRequest) -> HttpResponse:
    actor = owner(request)
    form = FileForm(request.POST, request.FILES)
    if not form.is_valid():
        raise Refused("Choose a CSV file.", fields={"file": "missing"})
    file = form.cleaned_data["file"]
    if file.size > timetable.MOST_BYTES:
        raise Refused("The file is larger than 1 MB.", fields={"file": "size"})
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused("The file is no UTF-8 text.", fields={"file": "encoding"}) from None
    return redirect("calendar_proposal", timetable.propose_file(text, name=file.name, actor=actor).pk)


@require_POST
def import_server(request: HttpRequest) -> HttpResponse:
    actor = owner(request)
    form = ServerForm(request.POST)
    if not form.is_valid():
        raise Refused("Choose an active account.", fields={"account": "unknown"})
    return redirect("calendar_proposal", timetable.propose_server(form.cleaned_data["account"], actor=actor).pk)


@require_safe
def proposal(request: HttpRequest, proposal_id: int) -> HttpResponse:
    found = get_object_or_404(CalendarProposal, pk=proposal_id)
    may_edit = isinstance(request.user, User) and request.user.is_owner
    rows = _rows(found)
    can_approve = any(row["act"] != "ONLY_HERE" for row in rows)
    context = {"proposal": found, "rows": rows, "may_edit": may_edit, "can_approve": can_approve}
    return render(request, "marketdata/proposal.html", context)


def _rows(found: CalendarProposal) -> list[dict[str, Any]]:
    rows = []
    for at, change in enumerate(found.changes):
        before = change["before"]
        rows.append(
            {
                "at": at,
                "act": change["act"],
                "entry": Entry(**change["entry"]),
                "before": None if before is None else Entry(**before),
            }
        )
    return rows


@require_POST
def approve(request: HttpRequest, proposal_id: int) -> HttpResponse:
    actor = owner(request)
    found = get_object_or_404(CalendarProposal, pk=proposal_id)
    form = ChosenForm(request.POST, len(found.changes))
    if not form.is_valid():
        raise Refused("The form was not understood.", fields={"chosen": "wrong"})
    count = timetable.approve(proposal_id, form.cleaned_data["chosen"], actor=actor)
    messages.info(request, f"{count} changes are in force.")
    return redirect("calendar")


@require_POST
def discard(request: HttpRequest, proposal_id: int) -> HttpResponse:
    timetable.discard(proposal_id, actor=owner(request))
    messages.info(request, "Discarded. Nothing was changed.")
    return redirect("calendar")
