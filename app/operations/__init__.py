"""What each endpoint does, without HTTP."""
