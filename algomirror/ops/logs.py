"""One line an event, key=value, IST time, secrets masked."""

from __future__ import annotations

import logging
import re
from datetime import datetime

from algomirror.kernel.clock import IST

# Keys travel in JSON bodies and in query strings; neither may reach a log, whatever library wrote the line.
_SECRETS = re.compile(r"(api_?key|password|secret|token)([\"']?\s*[=:]\s*[\"']?)([^\s\"'&,}]+)", re.IGNORECASE)


def masked(text: str) -> str:
    return _SECRETS.sub(r"\1\2***", text)


class KeyValueFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, IST).isoformat(timespec="milliseconds")
        line = f"{at} {record.levelname.lower()} {record.name} {record.getMessage()}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return masked(line)
