"""Kinds of options that several commands share."""

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

#: A switch for programs: one JSON object on standard output.
Json = Annotated[bool, Parameter(name="--json", negative="")]

#: Leave to write over what is there (`cli.outputs.check_new`).
Overwrite = Annotated[bool, Parameter(negative="")]

#: A count of things, at least one.
Count = Annotated[int, Parameter(validator=Number(gte=1))]

#: Processes; none is a valid answer.
Workers = Annotated[int | None, Parameter(validator=Number(gte=0))]
