"""Parameters of the converting pipeline."""

from pydantic import BaseModel, ConfigDict, Field


class ConvertingParameters(BaseModel):
    """``params:converting``.

    Attributes:
        parity_windows: Real windows, the newest ones, on which ONNX and the fitted model are compared.
        rtol: Relative tolerance on the output.
        atol: Absolute tolerance on the output, log return.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    parity_windows: int = Field(ge=1)
    rtol: float = Field(ge=0)
    atol: float = Field(ge=0)
