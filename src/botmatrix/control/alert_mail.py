"""Telling people of an alert by mail."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from typing import Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from botmatrix.config import Settings
from botmatrix.config.values import is_loopback
from botmatrix.errors import BotMatrixError

PATIENCE: Final = 10.0
"""Seconds that a mail server has for each answer."""
_PORTS: Final = {"smtp": 587, "smtps": 465}


class NotMailed(BotMatrixError):
    """A mail could not be sent: says why, without passwords."""


class Mail(NamedTuple):
    """One mail. `to`: addresses."""

    to: Sequence[str]
    subject: str
    text: str


class Mailer:
    """Sends by the server that the setting `smtp_url` names at that moment.

    `smtp://` turns to TLS when the server offers it; a password never crosses a network in the clear.
    """

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings

    async def send(self, mail: Mail) -> None:
        """Raises `NotMailed`."""
        settings = self._settings()
        if not settings.smtp_url:
            raise NotMailed("no mail server is set (setting smtp_url)")
        server = urlsplit(str(settings.smtp_url))
        try:
            await asyncio.to_thread(_send, server, _message(mail, settings.mail_from or _sender(server)))
        except NotMailed:
            raise
        except smtplib.SMTPResponseException as error:
            raise NotMailed(f"the mail server refused it ({error.smtp_code})") from error
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise NotMailed(f"the mail server could not be used ({type(error).__name__})") from error


def _send(server: SplitResult, message: EmailMessage) -> None:
    host, port = server.hostname or "", server.port or _PORTS[server.scheme]
    if server.scheme == "smtps":
        with smtplib.SMTP_SSL(host, port, timeout=PATIENCE, context=ssl.create_default_context()) as link:
            _deliver(link, server, message)
        return
    with smtplib.SMTP(host, port, timeout=PATIENCE) as link:
        link.ehlo()
        if link.has_extn("starttls"):
            link.starttls(context=ssl.create_default_context())
        elif server.password and not is_loopback(host):
            raise NotMailed("the mail server offers no TLS: the password is not sent in the clear")
        _deliver(link, server, message)


def _deliver(link: smtplib.SMTP, server: SplitResult, message: EmailMessage) -> None:
    if server.username:
        link.login(unquote(server.username), unquote(server.password or ""))
    link.send_message(message)


def _message(mail: Mail, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = sender, ", ".join(mail.to)
    message["Subject"] = " ".join(mail.subject.split())
    message.set_content(mail.text)
    return message


def _sender(server: SplitResult) -> str:
    """The account when it is an address, else one at the server."""
    account = unquote(server.username or "")
    return account if "@" in account else f"botmatrix@{server.hostname or 'localhost'}"
