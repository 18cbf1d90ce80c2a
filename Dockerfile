# syntax=docker/dockerfile:1
# The torch wheels carry CUDA's libraries; of the host only its driver is needed, which the NVIDIA
# container toolkit brings in. So the base is plain Python, not a CUDA image with everything twice.
FROM python:3.12-slim-bookworm AS build
ENV UV_CACHE_DIR=/var/cache/uv \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    VIRTUAL_ENV=/opt/venv
RUN pip install --no-cache-dir uv==0.13.8 \
    && python -m venv --without-pip /opt/venv
WORKDIR /build
COPY requirements.lock .
RUN --mount=type=cache,target=/var/cache/uv \
    uv pip install --require-hashes -r requirements.lock

FROM python:3.12-slim-bookworm
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin lorgnette \
    && install -d -o 10001 -g 10001 /var/lib/lorgnette
COPY --from=build /opt/venv /opt/venv
WORKDIR /srv/lorgnette
COPY vae vae
COPY app app
COPY models models
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    LORGNETTE_DIRECTIONS_DATABASE=sqlite:////var/lib/lorgnette/directions.sqlite3 \
    LORGNETTE_HOST=0.0.0.0
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "app.server.healthcheck"]
CMD ["python", "-m", "app"]
