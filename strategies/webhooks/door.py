"""POST /hooks/<id>: outside sessions and CSRF, known by its secret alone."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from algomirror.kernel.ids import new_key
from strategies.domain.signals import MOST_BYTES
from strategies.webhooks import receive


@csrf_exempt
@login_not_required
@never_cache
@require_POST
def hook(request: HttpRequest, public_id: str) -> JsonResponse:
    """202 with the signal's id once the sender is recognised, else 401 without saying why."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > MOST_BYTES:
        return _refused("TOO_LARGE", "A signal is at most 16 KB.", 413)
    signal = receive.receive(
        public_id,
        receive.Request(
            raw=request.body,
            source=str(request.META.get("REMOTE_ADDR", "")),
            signed=request.headers.get("X-Signature", ""),
            shown=request.headers.get("X-Webhook-Secret", ""),
        ),
    )
    if signal is None:
        return _refused("NOT_RECOGNISED", "Not recognised.", 401)
    return JsonResponse({"signal_id": signal.public_id, "verdict": signal.verdict, "why": signal.why}, status=202)


def _refused(code: str, message: str, status: int) -> JsonResponse:
    body = {"error": {"code": code, "message": message, "fields": {}, "request_id": new_key()}}
    return JsonResponse(body, status=status)
