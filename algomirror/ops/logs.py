"""One line an event, key=value, IST time, secrets masked."""

from __future__ import annotations

import json
import logging
import re
from datetime import datetime

from algomirror.kernel.clock import IST

# Keys travel in JSON bodies and in query strings; neither may reach a log, whatever library wrote the line.
_SECRETS = re.compile(r"(api_?key|password|secret|token)([\"']?\s*[=:]\s*[\"']?)([^\s\"'&,}]+)", re.IGNORECASE)

_WORDS = re.compile(r"\b([a-z][a-z0-9_]*)=(\S+)")


def masked(text: str) -> str:
    return _SECRETS.sub(r"\1\2***", text)


class KeyValueFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, IST).isoformat(timespec="milliseconds")
        line = f"{at} {record.levelname.lower()} {record.name} {record.getMessage()}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return masked(line)


class JsonFormatter(logging.Formatter):
    """The same line as an object; `key=value` words of the message become fields of their own."""

    def format(self, record: logging.LogRecord) -> str:
        said = record.getMessage()
        row = {
            **dict(_WORDS.findall(said)),
            "at": datetime.fromtimestamp(record.created, IST).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": said,
            "pid": record.process,
        }
        if record.exc_info:
            row["traceback"] = self.formatException(record.exc_info)
        return masked(json.dumps(row, ensure_ascii=False, default=str))
