"""OEM in XML, bare or inside <ndm> -> their words. The file has been read before: its rules are kept."""

from lxml import etree

from orbitlake.oem.reader.xml import XML_SPACE, tree_of
from orbitlake.oem.writer.printed import PrintedCovariance, PrintedOem, PrintedSegment


def printed_xml(content: bytes, name: str, most_markup: int) -> tuple[PrintedOem, ...]:
    """Return the words of each message in a sound file. Raises OemError where it is too large for that."""
    root = tree_of(content, name, most_markup)
    if _name(root) == "oem":
        return (_message(root, []),)
    beside = _comments(root)
    return tuple(_message(element, beside) for element in root if _name(element) == "oem")


def _message(element: etree._Element, comments_beside: list[str]) -> PrintedOem:
    header, body = element
    return PrintedOem(
        version=element.get("version") or "",
        header=_assignments(header),
        header_comments=[*comments_beside, *_comments(header)],
        segments=[_segment(each) for each in body],
    )


def _segment(element: etree._Element) -> PrintedSegment:
    metadata, data = element
    return PrintedSegment(
        metadata=_assignments(metadata),
        metadata_comments=_comments(metadata),
        comments=_comments(data),
        states=[tuple(_text(word) for word in each) for each in data if _name(each) == "stateVector"],
        covariances=[_covariance(each) for each in data if _name(each) == "covarianceMatrix"],
    )


def _covariance(element: etree._Element) -> PrintedCovariance:
    words = _assignments(element)
    epoch, frame = words.pop("EPOCH"), words.pop("COV_REF_FRAME", None)
    return PrintedCovariance(epoch, frame or None, tuple(words.values()), _comments(element))


def _assignments(element: etree._Element) -> dict[str, str]:
    return {name: _text(child) for child in element if (name := _name(child)) != "COMMENT"}


def _comments(element: etree._Element) -> list[str]:
    return [(child.text or "").rstrip() for child in element if _name(child) == "COMMENT"]


def _text(element: etree._Element) -> str:
    return (element.text or "").strip(XML_SPACE)


def _name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]
