"""What a traceback may show. Local variables and settings that hold secrets are starred out, also with DEBUG on."""

from __future__ import annotations

import re
from collections.abc import ItemsView
from types import FrameType
from typing import Any

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter

SECRET = re.compile(
    r"api|auth|cookie|cleaned|code|content|csrf|digest|form|key|pass|post|proof|request|seal|secret|sign|token|typed|wanted|webhook"
    r"|kwargs|args",
    re.IGNORECASE,
)


class NoSecrets(SafeExceptionReporterFilter):
    hidden_settings = re.compile(r"API|AUTH|COOKIE|DATABASE|FERNET|KEY|PASS|REDIS|SECRET|SIGNATURE|TOKEN|URL", re.IGNORECASE)

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: FrameType) -> ItemsView[str, Any]:
        found = super().get_traceback_frame_variables(request, tb_frame)
        return {name: self.cleansed_substitute if SECRET.search(name) else value for name, value in found}.items()

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        """Whatever a person typed into a field that is named like a secret, also where a view forgot to say so."""
        typed = super().get_post_parameters(request)
        return {name: self.cleansed_substitute if SECRET.search(name) else value for name, value in typed.items()}
