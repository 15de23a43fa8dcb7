"""The resources that the server requests from its node (Truss: `resources`)."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, field_validator, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from trussform.config.instances import ACCELERATORS, machine
from trussform.quantity import is_cpu, is_memory
from trussform.schema import Int, Model, invalid
from trussform.source import is_mapping


def check_cpu(cpu: str) -> str:
    """Returns an amount of CPU unchanged; raises a validation error otherwise."""
    if not is_cpu(cpu):
        raise invalid(f"`{cpu}` is not an amount of CPU", 'write cores, as in "4" or "500m"')
    return cpu


def check_memory(memory: str) -> str:
    """Returns an amount of memory or storage unchanged; raises a validation error otherwise."""
    if not is_memory(memory):
        raise invalid(f"`{memory}` is not an amount", 'write it as in "10Gi" or "512Mi"')
    return memory


Cpu = Annotated[str, AfterValidator(check_cpu)]
Memory = Annotated[str, AfterValidator(check_memory)]


class Accelerator(Model):
    """A kind of GPU and a number of these: `L4`, `H100:8`."""

    name: str
    """Truss's name of the GPU."""
    count: Int = Field(default=1, ge=1, le=1024)
    """The number of GPUs. Default: 1."""

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if is_mapping(value) and set(value) <= {"accelerator", "count"}:
            return {"name": value.get("accelerator"), "count": value.get("count", 1)}
        if not isinstance(value, str):
            raise invalid("this is not an accelerator", "write it as `L4` or `H100:8`")
        name, colon, count = value.strip().partition(":")
        if colon and not (count.isascii() and count.isdigit() and int(count) > 0):
            message = "the text after `:` is not a number of accelerators"
            raise invalid(message, "write it as in `L4:2`")
        return {"name": name, "count": int(count) if colon else 1}

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if name not in ACCELERATORS:
            raise invalid(f"unknown accelerator `{name}`", f"use one of {', '.join(ACCELERATORS)}")
        return name

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        names = "|".join(ACCELERATORS)
        return {"type": "string", "pattern": f"^({names})(:[1-9][0-9]*)?$", "examples": ["L4"]}

    def __str__(self) -> str:
        return self.name if self.count == 1 else f"{self.name}:{self.count}"


class Fabric(Model):
    """The network between the nodes of one replica; not supported."""

    use_rdma: bool | None = None
    """Not supported."""
    preferences: list[str] | None = None
    """Not supported."""


class Resources(Model):
    """The resources that one replica requests from its node."""

    cpu: Cpu = "1"
    """The CPU request in cores: `4`, `500m`. Default: 1."""

    memory: Memory = "2Gi"
    """The memory request: `10Gi`. Default: 2Gi."""

    accelerator: Accelerator | None = None
    """The GPUs of one replica: `L4`, `H100:8`. Default: none."""

    use_gpu: Any = None
    """Truss derives it from `accelerator`. Trussform does not use it."""

    node_count: Annotated[int, Field(ge=1, strict=True)] | None = None
    """The number of nodes of one replica; only 1 is supported. Default: 1."""

    instance_type: str | None = None
    """A machine of Baseten's table: `L4:4x16`, `A10Gx8x32`, `H100:2`. As in Truss, it replaces
    `accelerator`, `cpu` and `memory`. Default: none."""

    fabric: Fabric | None = None
    """The network between the nodes of one replica; not supported."""

    @model_validator(mode="after")
    def _apply_instance_type(self) -> "Resources":
        named = machine(self.instance_type or "")
        if named is None:
            return self
        name, count, cpu, memory = named
        fields = Resources.model_fields
        return self.model_copy(
            update={
                "accelerator": Accelerator.model_validate(f"{name}:{count}") if name else None,
                "cpu": str(cpu) if cpu else fields["cpu"].default,
                "memory": f"{memory}Gi" if memory else fields["memory"].default,
            }
        )

    @field_validator("accelerator", mode="before")
    @classmethod
    def _empty_is_none(cls, accelerator: Any) -> Any:
        return None if accelerator == {} else accelerator

    @field_validator("node_count")
    @classmethod
    def _check_node_count(cls, count: int | None) -> int | None:
        if count is not None and count != 1:
            message = f"Trussform does not support a server on {count} nodes"
            raise invalid(message, "use an accelerator count that fits one node")
        return count
