"""The web edge: routes, request parsing, responses, errors, authentication, request limits."""
