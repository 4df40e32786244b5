from django.apps import AppConfig


class FrameConfig(AppConfig):
    name = "algomirror.frame"
    label = "frame"

    def ready(self) -> None:
        from algomirror.frame import checks  # noqa: F401
