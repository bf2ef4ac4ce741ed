"""What a run takes in: the inbox and the default URL, or just what is named, in an order that does not depend on it."""

import gzip
import os
from dataclasses import replace

import pytest
from tests.oem.sample_oem import kvn, xml

from orbitlake.oem.ingest import batch, sources
from orbitlake.oem.ingest.delivery import DeliveryError
from orbitlake.oem.ingest.sources import allowing_hosts_of, deliver, group_by_issue, list_sources, named_in_inbox
from orbitlake.settings import from_environment


@pytest.fixture
def settings(lake):
    return replace(from_environment({}), data=lake.root, oem_url="http://upstream/oem.txt")


def put(path, content=b"x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize("inner", ["http://127.0.0.1:9/", "http://169.254.169.254/latest/", "http://[fd00:ec2::254]/"])
def test_a_form_reaches_no_host_that_is_not_public(lake, monkeypatch, inner):
    monkeypatch.setenv("ORBITLAKE_DATA", str(lake.root))

    (outcome,) = batch.download(inner, is_last_try=False)

    assert outcome["outcome"] == "rejected"
    assert "is not a public host" in outcome["reason"]


def test_a_command_line_vouches_for_the_hosts_that_it_names(settings):
    given = ["a.txt", "http://user:p@127.0.0.1:81/a", "https://[::1]/b", "http://host:x/", "ftp://host/"]
    allowed = allowing_hosts_of(given, replace(settings, allowed_hosts=("first",))).allowed_hosts

    assert allowed == ("first", "127.0.0.1:81", "[::1]:443")


def test_nothing_named_means_the_inbox_and_then_the_default_url(lake, settings):
    assert list_sources([], lake, settings) == ["http://upstream/oem.txt"]
    dropped = put(lake.inbox_oem / "dropped.txt")
    put(lake.inbox_oem / ".hidden")

    assert list_sources([], lake, settings) == [dropped, "http://upstream/oem.txt"]


def test_an_inbox_without_files_is_no_source(lake, settings):
    lake.inbox_oem.mkdir(parents=True)

    assert list_sources([], lake, settings) == ["http://upstream/oem.txt"]


def test_files_come_by_name_whatever_the_order_and_urls_last(lake, settings, tmp_path):
    first, second = put(tmp_path / "z" / "2023.txt"), put(tmp_path / "a" / "2023.xml")
    given = ["https://host/x", second, first, first]

    assert list_sources(given, lake, settings) == [first, first, second, "https://host/x"]


def test_folders_are_searched_at_every_depth_but_for_hidden_files(lake, settings, tmp_path):
    deep = put(tmp_path / "folder" / "deep" / "er" / "b.oem")
    put(tmp_path / "folder" / ".git" / "a.oem")
    top = put(tmp_path / "folder" / "c.oem")

    assert list_sources([str(tmp_path / "folder")], lake, settings) == [deep, top]


def test_a_name_in_the_inbox_is_that_one_file(lake, settings, monkeypatch):
    put(lake.inbox_oem / "other.txt")
    wanted = put(lake.inbox_oem / "may" / "issue 1.txt", kvn())
    monkeypatch.setattr("orbitlake.oem.ingest.batch.from_environment", lambda: settings)

    (delivery,) = batch.download("may/issue 1.txt", is_last_try=False)

    assert delivery["path"] == delivery["source"] == wanted


def test_a_run_of_the_dag_publishes_what_a_killed_one_left_in_staging(lake, settings, tmp_path, monkeypatch):
    monkeypatch.setattr("orbitlake.oem.ingest.batch.from_environment", lambda: settings)
    left = put(tmp_path / "a.txt", kvn())
    new = put(tmp_path / "b.txt", kvn().replace(b"22:55:31", b"22:55:32"))
    batch.archive([deliver(left, lake, settings)])
    outcomes = batch.tabulate(batch.archive([deliver(new, lake, settings)]))

    assert [outcome["outcome"] for outcome in outcomes] == ["ingested", "ingested"]
    assert [figures["states"] for figures in batch.check(outcomes)] == [3, 3]
    assert batch.rows_written(outcomes)["state_vectors"] == 6


@pytest.mark.parametrize("name", ["a.txt", "may/../../../secret.txt", "../secret.txt", "/etc/passwd", ".hidden", "may"])
def test_a_name_that_is_not_in_the_inbox_is_refused_with_those_that_are(lake, name):
    put(lake.root / "secret.txt")
    put(lake.inbox_oem / ".hidden")
    put(lake.inbox_oem / "may" / "issue.txt")

    with pytest.raises(DeliveryError, match=r"neither a URL nor a file in .*, which holds may/issue\.txt"):
        named_in_inbox(name, lake)


@pytest.mark.parametrize(("name", "reason"), [("nowhere.txt", "No such file"), (".", "holds no file")])
def test_a_source_without_a_file_says_why(lake, settings, tmp_path, name, reason):
    empty = tmp_path / "empty"
    empty.mkdir()
    (source,) = list_sources([str(empty / name)], lake, settings)

    with pytest.raises(DeliveryError, match=reason):
        deliver(source, lake, settings)


def test_a_pipe_is_not_waited_for(lake, settings, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    pipe = str(tmp_path / "pipe")

    assert list_sources([str(tmp_path)], lake, settings) == [pipe]
    assert group_by_issue([pipe]) == [[pipe]]
    with pytest.raises(DeliveryError, match="is not a file"):
        deliver(pipe, lake, settings)


def test_links_that_lead_to_no_file_are_sources_that_say_why(lake, settings, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    put(tmp_path / "other" / "a.oem")
    for name, target in {"a folder": tmp_path / "other", "loop": "loop", "nothing": "nowhere", "up": "."}.items():
        (folder / name).symlink_to(target)
    reasons = {}
    for source in list_sources([str(folder)], lake, settings):
        with pytest.raises(DeliveryError) as refused:
            deliver(source, lake, settings)
        reasons[source.removeprefix(f"{folder}/")] = str(refused.value)

    assert reasons == {
        "a folder": "is a link to a folder, which is not followed",
        "loop": "cannot be read: Too many levels of symbolic links",
        "nothing": "cannot be read: No such file or directory",
        "up": "is a link to a folder, which is not followed",
    }


def test_a_folder_that_may_not_be_listed_is_a_source_that_says_so(lake, settings, tmp_path, monkeypatch):
    closed = tmp_path / "folder" / "closed"
    first = put(tmp_path / "folder" / "a.oem")
    closed.mkdir()
    scandir = os.scandir

    def refusing(path):
        if str(path) == str(closed):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)

    assert list_sources([str(tmp_path / "folder")], lake, settings) == [first, str(closed)]
    with pytest.raises(DeliveryError, match="cannot be read: Permission denied"):
        deliver(str(closed), lake, settings)


def test_a_name_too_long_for_any_file_says_so(lake, settings):
    (source,) = list_sources(["x" * 300], lake, settings)

    with pytest.raises(DeliveryError, match="File name too long"):
        deliver(source, lake, settings)


def test_a_name_that_is_no_text_and_a_time_that_is_no_date_are_taken(lake, settings, tmp_path, monkeypatch):
    source = put(tmp_path / os.fsdecode(b"caf\xe9.oem"))
    monkeypatch.setattr(sources, "datetime", NoDate)
    delivery = deliver(source, lake, settings)

    assert delivery["path"] == source
    assert delivery["source_url"] == "caf\\xe9.oem"
    assert delivery["retrieved_at"] is None


class NoDate:
    """Stands for the calendar, on a file system whose time stamps it does not know."""

    @staticmethod
    def fromtimestamp(*_: object) -> None:
        raise ValueError("year 584554051223 is out of range")


def test_a_file_arrived_when_it_was_written(lake, settings, tmp_path):
    source = put(tmp_path / "file.txt")
    os.utime(source, (1_679_698_531, 1_679_698_531.75))

    assert deliver(source, lake, settings) == {
        "source": source,
        "path": source,
        "source_url": "file.txt",
        "retrieved_at": "2023-03-24T22:55:31+00:00",
    }


def test_a_file_of_several_messages_joins_the_groups_of_all(tmp_path):
    def at(second: int) -> bytes:
        return xml().replace(b"22:55:31", f"22:55:{second}".encode())

    one = at(31)
    several = one[: one.index(b"</ndm>")] + at(32)[one.index(b"<oem") :]
    names = ("a", "b", "c", "d", "e")
    contents = (at(31), at(33), at(32), several, at(33))
    a, b, c, d, e = (put(tmp_path / name, content) for name, content in zip(names, contents, strict=True))

    assert group_by_issue([a, b, c, d, e]) == [[a, c, d], [b, e]]
    assert group_by_issue([e, d, c, b, a]) == [[e, b], [d, c, a]]


def test_files_of_one_issue_fall_into_one_group(tmp_path):
    text, packed = put(tmp_path / "a.txt", kvn()), put(tmp_path / "b.xml.gz", gzip.compress(xml()))
    other = put(tmp_path / "c.txt", kvn().replace(b"22:55:31", b"22:55:32"))
    strange = [put(tmp_path / name, b"\x1f\x8bnot gzip") for name in ("d", "e")]
    missing = str(tmp_path / "f")

    assert group_by_issue([text, other, packed, *strange, missing]) == [
        [text, packed],
        [other],
        [strange[0]],
        [strange[1]],
        [missing],
    ]
