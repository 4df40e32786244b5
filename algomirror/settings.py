"""Everything the installation decides, read once from the environment.

Each variable is listed in docs/SETTINGS.md. A secret has no default: without it the process does not start
(except under ALGOMIRROR_DEMO, where `manage.py demo` writes its own into var/demo.env).
"""

from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from algomirror.variables import Variables

BASE_DIR = Path(__file__).resolve().parent.parent
env = Variables()
env.prefix = ""

if env_file := env.str("ALGOMIRROR_ENV_FILE", default=""):
    if not Path(env_file).is_file():
        raise ImproperlyConfigured(f"ALGOMIRROR_ENV_FILE names {env_file}, which is not a file")
    Variables.read_env(env_file)
elif (BASE_DIR / ".env").is_file():
    Variables.read_env(BASE_DIR / ".env")

VAR_DIR = env.folder("ALGOMIRROR_VAR", default=str(BASE_DIR / "var"))
DEMO = env.bool("ALGOMIRROR_DEMO", default=False)
DEBUG = env.bool("DEBUG", default=False)
VERSION = "0.1.0"

SECRET_KEY = env.str("DJANGO_SECRET_KEY")
# First key seals, all keys open: put a new one in front to rotate. A file holds one key on each line.
if key_file := env.str("ALGOMIRROR_FERNET_KEYS_FILE", default=""):
    if not Path(key_file).is_file():
        raise ImproperlyConfigured(f"ALGOMIRROR_FERNET_KEYS_FILE names {key_file}, which is not a file")
    FERNET_KEYS: list[str] = Path(key_file).read_text().split()
else:
    FERNET_KEYS = env.list("ALGOMIRROR_FERNET_KEYS")
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
HTTPS = env.bool("HTTPS", default=False)
# Addresses of our own proxies: only they may say in X-Forwarded-For who is really asking.
TRUSTED_PROXIES: list[str] = env.list("TRUSTED_PROXIES", default=[])
UPLOAD_MAX_BYTES = env.int("UPLOAD_MAX_BYTES", default=5_000_000)
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000  # bodies that are no files
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000
DATA_UPLOAD_MAX_NUMBER_FILES = 5
# Requests a minute: of one address, to sign in from one address, to the API of one user or token, of what is costly.
RATE_GLOBAL = env.str("RATE_GLOBAL", default="1000/m")
RATE_AUTH = env.str("RATE_AUTH", default="10/m")
RATE_API = env.str("RATE_API", default="100/m")
RATE_HEAVY = env.str("RATE_HEAVY", default="20/m")

# Where people reach the pages, for links in alerts; and the address of Telegram's bots.
PUBLIC_URL = env.str("PUBLIC_URL", default="").rstrip("/")
TELEGRAM_URL = env.str("TELEGRAM_URL", default="https://api.telegram.org")

# Servers of accounts on loopback and private networks; link-local and metadata addresses are always refused.
ALLOW_PRIVATE_HOSTS = env.bool("ALLOW_PRIVATE_HOSTS", default=True)

WEB_HOST = env.str("WEB_HOST", default="127.0.0.1")
WEB_PORT = env.int("WEB_PORT", default=8000)
SIM_PORT_BASE = env.int("SIM_PORT_BASE", default=5600)
DEMO_ACCOUNTS = env.int("DEMO_ACCOUNTS", default=3)
REDIS_PORT = env.int("REDIS_PORT", default=6390)
# Empty: `manage.py up` starts the bundled server on REDIS_PORT.
REDIS_URL = env.str("REDIS_URL", default="")
REDIS_BUNDLED = REDIS_URL == ""
if REDIS_BUNDLED:
    REDIS_URL = f"redis://127.0.0.1:{REDIS_PORT}/0"

INSTALLED_APPS = [
    "algomirror.frame",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "rest_framework",
    "channels",
    "django_q",
    "csp",
    "algomirror.ops",
    "accounts",
    "marketdata",
    "trading",
    "risk",
    "strategies",
]

if DEMO:
    INSTALLED_APPS.append("algomirror.demo")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "algomirror.frame.security.ClientAddressMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "algomirror.frame.security_limits.RateLimitMiddleware",
    "algomirror.frame.security.SessionMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "algomirror.frame.security.SightMiddleware",
    "algomirror.frame.security.SecondFactorMiddleware",
    "algomirror.frame.middleware.RefusalMiddleware",
]

ROOT_URLCONF = "algomirror.urls"
ASGI_APPLICATION = "algomirror.asgi.application"
WSGI_APPLICATION = None

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "algomirror.frame.context.frame",
            ],
            "builtins": ["algomirror.frame.templatetags.numbers"],
        },
    },
]

_file = VAR_DIR / ("demo.sqlite3" if DEMO else "algomirror.sqlite3")
_SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(_file)}
_url = env.str("DATABASE_URL", default="")
DATABASES: dict[str, dict[str, Any]] = {"default": env.db_url_config(_url) if _url else _SQLITE}
_database = DATABASES["default"]
if _database.get("ENGINE") == _SQLITE["ENGINE"]:
    _database |= {
        "ENGINE": "algomirror.ops.sqlite",
        # A file, because an in-memory database shared by threads ignores `timeout`: races would be untestable.
        "TEST": {"NAME": VAR_DIR / "test.sqlite3"},
        "OPTIONS": {
            # IMMEDIATE: a read-modify-write never fails half way on an upgrade. FULL: an order row
            # survives the power cut that may follow the wire.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "cached_statements": 512,  # more than the hot path has
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            " PRAGMA temp_store=MEMORY; PRAGMA cache_size=-20000;",
        },
    }
else:
    _database["CONN_HEALTH_CHECKS"] = True
if _database.get("ENGINE") == "django.db.backends.postgresql":
    # A machine whose cable is cut inside a transaction keeps its rows locked until the server lets go of it, and exits
    # on the other machines wait for them. Ours take milliseconds: no network is allowed in one.
    _database["OPTIONS"] = {
        "connect_timeout": 5,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "options": "-c idle_in_transaction_session_timeout=10s -c tcp_keepalives_idle=5"
        " -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3",
        **_database.get("OPTIONS", {}),
    }
_database["CONN_MAX_AGE"] = 60
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "am",
        "OPTIONS": {"socket_timeout": 1.0, "socket_connect_timeout": 1.0},  # no page waits for a counter
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "am-channels"},
    }
}

# Periodic work is enqueued by run_metronome; a task carries ids only, and running it twice is harmless.
_CLUSTER = {"redis": REDIS_URL, "save_limit": -1, "catch_up": False, "recycle": 20_000, "ack_failures": True, "max_attempts": 1}
Q_CLUSTER = {
    **_CLUSTER,
    "name": "risk",
    "workers": env.int("RISK_WORKERS", default=2),
    "queue_limit": 4,
    "timeout": 30,
    "retry": 600,
    "label": "Task queue",
    "ALT_CLUSTERS": {
        "orders": {**_CLUSTER, "workers": env.int("ORDER_WORKERS", default=2), "queue_limit": 8, "timeout": 60, "retry": 600},
        "signals": {**_CLUSTER, "workers": env.int("SIGNAL_WORKERS", default=1), "queue_limit": 4, "timeout": 120, "retry": 900},
    },
}
CLUSTERS = ("risk", "orders", "signals")

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = [f"django.contrib.auth.hashers.{name}PasswordHasher" for name in ("Argon2", "PBKDF2")]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "accounts.passwords.MixedCharacters"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "landing"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = 12 * 3600
SESSION_SAVE_EVERY_REQUEST = False
CSRF_FAILURE_VIEW = "algomirror.frame.errors.csrf_failure"
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_SSL_REDIRECT = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
# Whether the whole domain is ours to pin to HTTPS, only its owner can say; a proxy may send that header.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_REFERRER_POLICY = "same-origin"
DEFAULT_EXCEPTION_REPORTER_FILTER = "algomirror.frame.security_tracebacks.NoSecrets"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ["/admin"],  # the admin theme needs inline style; it is behind its own login
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "connect-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    },
}

LANGUAGE_CODE = "en-in"
USE_I18N = False
TIME_ZONE = "Asia/Kolkata"  # of templates and admin only; storage is UTC
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = DEBUG

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.tokens.auth.BearerToken", "rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.tokens.auth.MayDo"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.tokens.auth.Rationed"],
    "DEFAULT_SCHEMA_CLASS": "algomirror.ops.api.schema.Schema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "EXCEPTION_HANDLER": "algomirror.frame.errors.api_exception_handler",
    "COERCE_DECIMAL_TO_STRING": True,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "AlgoMirror",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": ["algomirror.ops.api.schema.with_errors"],
}

# The lower rooms call these names of higher rooms; the import rules forbid them to import the modules.
HOOKS = {
    "fast_guard": "risk.services.fastguard.on_quotes",
    "entry_gate": "risk.services.gate.recheck",
    "change_gate": "risk.services.changing.permit_change",
    "halt_account": "risk.services.switch.halt_account",
    "is_halted": "risk.services.switch.is_halted",
    "books_changed": "strategies.services.settle.books_changed",
    "account_in_use": "trading.selectors.account_in_use",
    "books_forgotten": "trading.services.poll.forget",
    "open_symbols": "trading.selectors.open_symbols",
    "seal": "accounts.crypto.seal",
    "unseal": "accounts.crypto.unseal",
    "address_trouble": "accounts.addresses.trouble",
    "local": "marketdata.domain.sessions.local",
    "restored": "strategies.services.restored.settle",
    "fills_of": "trading.pages.marks.fills_of",
    "is_entering": "trading.selectors.is_entering",
    "group_accounts": "strategies.services.groups.accounts_of",
    "groups": "strategies.services.groups.named",
    "seen_runs": "trading.selectors.seen_runs",
}

# How long a journal row is kept; the database itself refuses to let go of one younger than a year.
JOURNAL_KEPT_DAYS = max(env.int("JOURNAL_KEPT_DAYS", default=1_827), 366)

# Red lines of the readiness board, by their names there, that keep entries of their account out (of all accounts, when the
# line is the product's). What the gate asks afresh itself (link, books, funds, calendar) need not stand here.
READINESS_BLOCKS = env.list("READINESS_BLOCKS", default=["gateway", "key and broker session", "mode", "registered address"])
# The public addresses of this network: where orders of servers beside this machine leave from.
EGRESS_ADDRESSES = env.list("EGRESS_ADDRESSES", default=[])

# With a folder a copy of the database is taken every hour; PostgreSQL's programs are looked for on PATH, or here.
BACKUP_DIR = env.str("BACKUP_DIR", default="")
BACKUPS_KEPT = env.int("BACKUPS_KEPT", default=72)
POSTGRES_BIN = env.str("POSTGRES_BIN", default="")

# Who tells Prometheus what; the token opens /metrics to other machines than this one.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
METRICS = (
    "algomirror.ops.metrics.collect",
    "accounts.metrics.collect",
    "marketdata.metrics.collect",
    "trading.metrics.collect",
    "risk.metrics.collect",
)

# What the metronome calls, and how often in seconds. Each only enqueues and returns.
BEATS = {
    "trading.beats.enqueue": 1.0,
    "trading.beats.read_holdings": 30.0,
    "trading.beats.settle_expired": 60.0,
    "risk.beats.enqueue": 1.0,
    "risk.beats.track_margin": 60.0,
    "strategies.beats.enqueue": 1.0,
    "strategies.beats.report": 60.0,
    "algomirror.ops.beats.enqueue": 2.0,
    "algomirror.ops.beats.tell": 5.0,
    "algomirror.frame.beats.enqueue": 2.0,
    "accounts.beats.enqueue": 5.0,
    "marketdata.beats.enqueue": 30.0,
}

# Seconds and shares that decide; product constants, one place.
QUOTE_FRESH_STREAM_S = env.float("QUOTE_FRESH_STREAM_S", default=5.0)
QUOTE_FRESH_REST_S = env.float("QUOTE_FRESH_REST_S", default=10.0)
FEED_SYMBOL_CAP = env.int("FEED_SYMBOL_CAP", default=3000)
FEED_FAIL_BACK_S = env.float("FEED_FAIL_BACK_S", default=600.0)
FEED_DARK_ALARM_S = env.float("FEED_DARK_ALARM_S", default=15.0)
SKEW_AMBER_S = env.float("SKEW_AMBER_S", default=2.0)
SKEW_RED_S = env.float("SKEW_RED_S", default=5.0)
BLIND_ALARM_S = env.float("BLIND_ALARM_S", default=10.0)
BLIND_ACTION_S = env.float("BLIND_ACTION_S", default=60.0)
ORDER_TIMEOUT_S = env.float("ORDER_TIMEOUT_S", default=10.0)
READ_TIMEOUT_S = env.float("READ_TIMEOUT_S", default=5.0)
CONNECT_TIMEOUT_S = env.float("CONNECT_TIMEOUT_S", default=2.0)
ORDERS_PER_SECOND = env.int("ORDERS_PER_SECOND", default=10)
READS_PER_SECOND = env.int("READS_PER_SECOND", default=20)
# Threads of one worker for calls to brokers that wait for a connection or the budget; 1: all calls one after another.
WIRE_THREADS = env.int("WIRE_THREADS", default=96)
POLL_WORKING_S = env.float("POLL_WORKING_S", default=1.0)
POLL_OPEN_S = env.float("POLL_OPEN_S", default=5.0)
POLL_IDLE_S = env.float("POLL_IDLE_S", default=60.0)
LAPSE_READS = env.int("LAPSE_READS", default=3)
LAPSE_AFTER_S = env.float("LAPSE_AFTER_S", default=10.0)
HEDGE_WAIT_S = env.float("HEDGE_WAIT_S", default=10.0)
REPEG_S = env.float("REPEG_S", default=1.0)
EXIT_SLOW_S = env.float("EXIT_SLOW_S", default=5.0)
EXIT_STUCK_S = env.float("EXIT_STUCK_S", default=30.0)
PLAN_LIFE_S = env.float("PLAN_LIFE_S", default=30.0)
MIS_CUTOFF_MIN = env.int("MIS_CUTOFF_MIN", default=15)

# A file is opened again when something else (deploy/logrotate.conf) moved it: processes must not rotate one file each.
LOG_FORMAT = env.one_of("LOG_FORMAT", ("line", "json"))
LOG_FILE = env.str("LOG_FILE", default="")
LOG_TO: dict[str, object] = (
    {"class": "logging.handlers.WatchedFileHandler", "filename": LOG_FILE, "formatter": LOG_FORMAT}
    if LOG_FILE
    else {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "algomirror.ops.logs.KeyValueFormatter"},
        "json": {"()": "algomirror.ops.logs.JsonFormatter"},
    },
    "handlers": {"stderr": LOG_TO},
    "root": {"handlers": ["stderr"], "level": env.one_of("LOG_LEVEL", ("INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL"))},
    "loggers": {
        "django": {"level": "INFO"},  # named, so that its own console handler does not say everything twice
        "django.security.DisallowedHost": {"handlers": [], "propagate": False},  # every scanner; the answer is 400
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "django-q": {"level": "WARNING", "handlers": ["stderr"], "propagate": False},
        "websocket": {"level": "CRITICAL"},
    },
}
