"""The text of a body: which charset it claims to be in, and its decoding.

Owns:  the charset parameter of a Content-Type, and which charsets are accepted.
Knows: RFC 9110 section 8.3 (parameters of a media type) and Python's codecs.
Never: a look-up of a codec by a name that a client chose: Python remembers every unknown name for ever.
"""

from __future__ import annotations

import re
from encodings import normalize_encoding
from encodings.aliases import aliases

from tinybeam.errors import HTTPError

# A parameter's value is a token or a quoted string, in which a backslash keeps the next character as it is.
_CHARSET = re.compile(r';[ \t]*charset=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))', re.IGNORECASE)

_NOT_CHARSETS = {"base64_codec", "bz2_codec", "hex_codec", "mbcs", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"}
_CODECS = {name: name for name in (*aliases.values(), "koi8_u", "utf_8_sig")} | aliases
_CODECS = {name: codec for name, codec in _CODECS.items() if codec not in _NOT_CHARSETS}


def charset_of(content_type: str | None) -> str:
    """The charset that a Content-Type names, "utf-8" where it names none.

    >>> charset_of('text/plain; format=flowed; charset="ISO-8859-1"'), charset_of("application/json"), charset_of(None)
    ('ISO-8859-1', 'utf-8', 'utf-8')
    """
    found = _CHARSET.search(content_type) if content_type else None
    if found is None:
        return "utf-8"
    quoted, token = found.groups()
    return token if quoted is None else re.sub(r"\\(.)", r"\1", quoted)


def decoded(body: bytes, charset: str) -> str:
    """The body as text. Raises HTTPError 415 for an unknown charset, 400 for octets that are not in the known one.

    >>> decoded(b"caf\\xe9", "latin-1")
    'café'
    """
    codec = _CODECS.get(normalize_encoding(charset).lower())
    try:
        if codec is None:
            raise LookupError
        return body.decode(codec)
    except UnicodeError:
        raise HTTPError(400, f"the body is not {charset} text") from None
    except LookupError:
        # Also a codec that this platform was built without.
        raise HTTPError(415, f"the charset {charset!r} is not supported; send utf-8") from None
