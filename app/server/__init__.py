"""The process: command line, HTTP protocol, worker processes, health check."""
