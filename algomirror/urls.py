from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("algomirror.api")),
    path("", include("algomirror.ops.urls")),
    path("", include("algomirror.frame.urls")),
    path("", include("accounts.urls")),
    path("", include("marketdata.urls")),
    path("", include("trading.urls")),
    path("", include("risk.urls")),
    path("", include("strategies.urls")),
]
handler400 = "algomirror.frame.errors.bad_request"
handler403 = "algomirror.frame.errors.forbidden"
handler404 = "algomirror.frame.errors.not_found"
handler500 = "algomirror.frame.errors.server_error"
