from django.apps import AppConfig


class FrameConfig(AppConfig):
    name = "algomirror.frame"
    label = "frame"
