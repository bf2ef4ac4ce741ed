# Two images from one file: `pipeline` for Airflow and Spark (a driver and its executors need the same Python and the
# same packages), and `simulator`, which alone holds the simulated feeds.
# By digest instead of by name: --build-arg PYTHON_IMAGE=python@sha256:...; .env.example says how to get one.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE} AS packages
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

FROM ${PYTHON_IMAGE} AS kafka
# Another Maven repository than the public one: --build-arg MAVEN_URL=...
ARG MAVEN_URL=https://repo1.maven.org/maven2
COPY docker/kafka-jars.sha256 /build/
# What Spark reads Kafka by. Only a driver that is asked to loads it.
RUN mkdir -p /jars && cd /jars && while read -r sum path; do \
      python -c 'import sys; from urllib.request import urlretrieve; urlretrieve(*sys.argv[1:])' "$MAVEN_URL/$path" "${path##*/}"; \
      echo "$sum  ${path##*/}"; \
    done < /build/kafka-jars.sha256 | sha256sum --check --strict

FROM ${PYTHON_IMAGE} AS files
COPY docker/spark-defaults.conf /files/etc/spark/
COPY docker/entrypoint docker/healthy docker/initialise /files/usr/local/bin/
COPY dags /files/opt/orbitlake/dags
COPY jobs /files/opt/orbitlake/jobs
COPY plugins /files/opt/orbitlake/plugins
# A checkout made under `umask 077` is readable by its owner alone, and so would be its copy. COPY --chmod knows one mode
# for files and folders alike, and only BuildKit knows it.
RUN python -m compileall -q -s /files -p / /files/opt/orbitlake \
 && chmod -R u=rwX,go=rX /files \
 && mv /files/opt/orbitlake/plugins/orbitlake/simulator /simulator

FROM ${PYTHON_IMAGE} AS runtime
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
COPY --from=kafka /jars /opt/venv/kafka/spark
COPY --from=files /files/etc/spark /etc/spark
COPY --from=files /files/usr/local/bin /usr/local/bin
COPY --from=files /files/opt/orbitlake /opt/orbitlake
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

FROM runtime AS simulator
COPY --from=files /simulator /opt/orbitlake/plugins/orbitlake/simulator

# The last one: what is built where no target is named.
FROM runtime AS pipeline
