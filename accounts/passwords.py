"""Password policy beyond Django's own validators: 8-128, upper, lower, digit, special."""

from __future__ import annotations

from django.core.exceptions import ValidationError

WANTED = (
    (str.isupper, "an upper-case letter"),
    (str.islower, "a lower-case letter"),
    (str.isdigit, "a digit"),
    (lambda c: not c.isalnum() and not c.isspace(), "a special character"),
)


class MixedCharacters:
    def validate(self, password: str, user: object = None) -> None:
        missing = [name for test, name in WANTED if not any(test(c) for c in password)]
        if len(password) > 128:
            missing.append("at most 128 characters")
        if missing:
            raise ValidationError("The password needs " + ", ".join(missing) + ".", code="password_mixed")

    def get_help_text(self) -> str:
        return "8 to 128 characters with upper and lower case, a digit and a special character."
