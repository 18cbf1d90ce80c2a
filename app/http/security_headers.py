"""Headers that every answer has, so that a browser makes nothing of it but what it is."""

SECURITY = {
    "Cache-Control": "no-store",  # an answer may show a face
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
RAW = [(name.lower().encode(), value.encode()) for name, value in SECURITY.items()]
