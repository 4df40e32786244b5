"""The combined premium of a run with its Supertrend, as JSON."""

from __future__ import annotations

from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from algomirror.kernel import clock
from risk import selectors
from risk.services import supertrend


@require_safe
def combined(request: HttpRequest, pk: int) -> JsonResponse:
    """The very series the guard decides on; with the usual terms where the run has no Supertrend of its own."""
    terms = supertrend.terms_in_force(pk)
    if terms is None:
        raise Http404
    run = selectors.open_run(pk)
    return JsonResponse({"bars": [], "state": "CLOSED", "legs": {}} if run is None else supertrend.drawn(run, terms, clock.now()))
