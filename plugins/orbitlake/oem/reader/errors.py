"""The one error of the readers: which file, which line, what is wrong with it."""


class OemError(ValueError):
    """A file that is not the OEM it claims to be; `line` counts from 1, None where no line is to blame."""

    def __init__(self, path: str, line: int | None, reason: str) -> None:
        super().__init__(path, line, reason)
        self.path = path
        self.line = line
        self.reason = reason

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.reason}"
