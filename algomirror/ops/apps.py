from django.apps import AppConfig


class OpsConfig(AppConfig):
    name = "algomirror.ops"
    label = "ops"
    verbose_name = "Operations"

    def ready(self) -> None:
        from algomirror.ops import checks  # noqa: F401
