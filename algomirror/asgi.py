import gc
import os
from importlib import import_module

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "algomirror.settings")

from django.core.asgi import get_asgi_application

http = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.conf import settings  # noqa: E402

from algomirror.ops import prepared  # noqa: E402
from algomirror.ops.pacing import Paced  # noqa: E402
from algomirror.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {"http": http, "websocket": Paced(AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))))}
)

# Every page's code is loaded with its address, not on the first visit, and what it asks is compiled: fifty accounts wait for
# the start of a run. What is loaded by now stays for ever; searching it for garbage would halt every socket meanwhile.
import_module(settings.ROOT_URLCONF)
prepared.compile_all()
gc.collect()
gc.freeze()
