# One image for Airflow and Spark: a driver and its executors need the same Python and the same packages.
FROM python:3.11-slim-bookworm AS packages
# Another package index than the public one: --build-arg PIP_INDEX_URL=...
ARG PIP_INDEX_URL
COPY requirements.txt constraints.txt /build/
# PySpark comes as source, which setuptools packs: of one version, like everything else.
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.8 \
 && python -m venv --without-pip /opt/venv \
 && echo 'setuptools==80.9.0' > /build/build-constraints.txt \
 && UV_DEFAULT_INDEX="${PIP_INDEX_URL:-https://pypi.org/simple}" uv pip install --no-cache --compile-bytecode \
      -p /opt/venv/bin/python -r /build/requirements.txt -c /build/constraints.txt -b /build/build-constraints.txt \
 && rm -rf /opt/venv/lib/python3.11/site-packages/pyspark/examples /opt/venv/lib/python3.11/site-packages/pyspark/data

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="orbitlake" \
      org.opencontainers.image.description="Spacecraft positions from public feeds to Parquet tables" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
# procps: Spark's scripts call ps. tini: reaps what a killed task leaves and passes signals on.
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless procps tini \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 50000 --gid 0 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin orbitlake \
 && install -d -o orbitlake -g root -m 0750 /data /logs /scratch
COPY --from=packages /opt/venv /opt/venv
COPY docker/spark-defaults.conf /etc/spark/
COPY docker/entrypoint docker/healthy docker/initialise /usr/local/bin/
COPY dags /opt/orbitlake/dags
COPY jobs /opt/orbitlake/jobs
COPY plugins /opt/orbitlake/plugins
RUN python -m compileall -q /opt/orbitlake
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    TZ=UTC \
    PYTHONPATH=/opt/orbitlake/plugins \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYSPARK_PYTHON=/opt/venv/bin/python \
    SPARK_CONF_DIR=/tmp/spark \
    SPARK_NO_DAEMONIZE=1 \
    SPARK_LOCAL_DIRS=/scratch \
    AIRFLOW_HOME=/tmp/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/orbitlake/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/orbitlake/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=/logs \
    ORBITLAKE_DATA=/data
# By number, so that an orchestrator can tell that it is not root.
USER 50000:0
WORKDIR /opt/orbitlake
ENTRYPOINT ["tini", "-g", "--", "entrypoint"]
CMD ["airflow", "version"]
