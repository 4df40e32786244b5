from django.apps import AppConfig


class DemoConfig(AppConfig):
    """Installed only under ALGOMIRROR_DEMO: an installation with real accounts has none of this."""

    name = "algomirror.demo"
    label = "demo"
