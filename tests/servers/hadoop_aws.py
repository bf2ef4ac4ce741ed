"""What Spark needs to read s3a:// - Hadoop's module and, in place of a bundle of 650 MB, the parts of the SDK it uses.

The versions are those of the Hadoop that PySpark brings along: `hadoop-client-api` among its jars says which.
"""

import tempfile
from pathlib import Path

from tests.servers.folder import SERVERS, run

HADOOP = "3.5.0"
SDK = "2.35.4"
ACCELERATOR = "1.3.1"
FOLDER = SERVERS / "hadoop-aws"
ARTIFACTS = (
    ("org.apache.hadoop", "hadoop-aws", HADOOP, "<exclusions><exclusion><groupId>*</groupId>"
     "<artifactId>*</artifactId></exclusion></exclusions>"),
    ("software.amazon.awssdk", "s3", SDK, ""),
    ("software.amazon.awssdk", "s3-transfer-manager", SDK, ""),
    ("software.amazon.awssdk", "sts", SDK, ""),
    ("software.amazon.awssdk", "apache-client", SDK, ""),
    ("software.amazon.s3.analyticsaccelerator", "analyticsaccelerator-s3", ACCELERATOR, ""),
)  # fmt: skip
PROJECT = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>none</groupId><artifactId>none</artifactId><version>1</version><dependencies>{}</dependencies></project>"""
DEPENDENCY = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>{}</dependency>"


def jars() -> list[str]:
    """Return the jars that are there."""
    return sorted(map(str, FOLDER.glob("*.jar")))


def fetch() -> None:
    """Fetch them by Maven where they are absent. Raises NotToBeHadError."""
    if jars():
        return
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER.parent) as made:
        project = Path(made)
        (project / "pom.xml").write_text(PROJECT.format("".join(DEPENDENCY.format(*each) for each in ARTIFACTS)))
        run("mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars", cwd=project)
        (project / "jars").rename(FOLDER)
