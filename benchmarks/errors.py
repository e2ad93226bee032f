"""What can go wrong with a measurement, apart from the figure."""


class RigError(Exception):
    """The rig cannot go on; the text says what to do."""


class MissingError(RigError):
    """A program or a right that a peer or a generator needs is not there."""
