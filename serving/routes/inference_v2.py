"""The Open Inference Protocol, version 2: quantiles from features."""

import asyncio
import functools
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Depends, Request, Response
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from make_us_rich.backtest.calibration import Quantiles
from make_us_rich.domain.forecast import TARGETS
from make_us_rich.domain.manifest import Manifest
from make_us_rich.inference.champion import Champion
from make_us_rich.inference.session import INPUT
from serving.dependencies import QUOTA_HEADERS, AccountsDep, ForecastsDep, ModelDep, counted_call, require_token
from serving.errors import INFERENCE_PREFIX, InferenceErrorResponse, ServingError, answers
from serving.routes.health import readyz

# Clients of the protocol send JSON without a content type.
router = APIRouter(prefix=INFERENCE_PREFIX, tags=["inference"], strict_content_type=False)

MAX_WINDOWS = 64
"""Windows of one request."""

_errors = functools.partial(answers, model=InferenceErrorResponse)


class ServerLive(BaseModel):
    """Whether the server is alive."""

    live: bool = True


class ServerReady(BaseModel):
    """Whether the server or a model is ready."""

    ready: bool


class ServerMetadata(BaseModel):
    """Name and version of the server."""

    name: str = "make-us-rich"
    version: str
    extensions: list[str] = []


class TensorMetadata(BaseModel):
    """An input or an output; −1 for an axis of any length."""

    name: str
    datatype: Literal["FP32"] = "FP32"
    shape: list[int]


class ModelMetadata(BaseModel):
    """A model with its input and output."""

    name: str
    versions: list[str]
    platform: str = "onnx_onnxruntime"
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


# An error for each of thousands of items would take seconds.
_Row = Annotated[list[float], Field(fail_fast=True)]
_Matrix = Annotated[list[_Row], Field(fail_fast=True)]
_Cube = Annotated[list[_Matrix], Field(fail_fast=True)]


class InputTensor(BaseModel):
    """Unscaled features of consecutive hourly candles, oldest first: [window, lookback, feature], flat or nested."""

    name: str
    shape: list[Annotated[int, Field(ge=1, le=1_000_000)]] = Field(min_length=3, max_length=3)
    datatype: str
    data: _Row | _Matrix | _Cube
    parameters: dict[str, Any] = {}


class RequestedOutput(BaseModel):
    """An output that is requested: close, high or low."""

    name: str
    parameters: dict[str, Any] = {}


_EXAMPLE: dict[str, Any] = {"inputs": [{"name": INPUT, "shape": [1, 1, 2], "datatype": "FP32", "data": [0.1, 0.2]}]}


class InferenceRequest(BaseModel):
    """Windows to forecast from."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str | None = Field(None, max_length=100)
    inputs: list[InputTensor] = Field(min_length=1, max_length=1)
    outputs: list[RequestedOutput] = Field([], max_length=len(TARGETS))
    parameters: dict[str, Any] = {}


class OutputTensor(TensorMetadata):
    """Calibrated quantiles of log(close[t+h] / close[t]), flat: [window, horizon, level]."""

    data: list[float]


class InferenceResponse(BaseModel):
    """The quantiles of all windows."""

    id: str | None
    model_name: str
    model_version: str
    outputs: list[OutputTensor]


@router.get("", summary="Show the server's metadata")
async def show_server(request: Request) -> ServerMetadata:
    """Name and version of the server."""
    return ServerMetadata(version=request.app.version)


@router.get("/health/live", summary="Check that the server is alive")
async def is_live() -> ServerLive:
    """Alive, whatever is down."""
    return ServerLive()


_NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": ServerReady, "description": "Not ready"}}


@router.get("/health/ready", summary="Check that the server can be used", responses=_NOT_READY)
async def is_ready(response: Response, service: ForecastsDep, accounts: AccountsDep) -> ServerReady:
    """Ready under the same conditions as `/readyz`."""
    return ServerReady(ready=(await readyz(response, service, accounts)).ready)


@router.get("/models/{pair}", summary="Show a model's metadata", responses=_errors(404, 422, 503))
async def show_metadata(model: ModelDep) -> ModelMetadata:
    """Version, input and output of the pair's champion."""
    manifest = model.manifest
    inputs = TensorMetadata(name=INPUT, shape=[-1, manifest.lookback, len(manifest.columns)])
    shape = [-1, manifest.horizon, len(manifest.levels)]
    outputs = [TensorMetadata(name=target, shape=shape) for target in manifest.targets]
    return ModelMetadata(name=manifest.pair, versions=[manifest.version], inputs=[inputs], outputs=outputs)


@router.get("/models/{pair}/ready", summary="Check that a model is loaded", responses=_errors(404, 422, 503))
async def is_model_ready(_model: ModelDep) -> ServerReady:
    """Ready if the pair's champion is loaded; else 503."""
    return ServerReady(ready=True)


@router.post(
    "/models/{pair}/infer",
    summary="Run a model on features",
    dependencies=[Depends(require_token)],
    responses={
        200: {"model": InferenceResponse, "description": "The quantiles", "headers": QUOTA_HEADERS},
        **_errors(400, 401, 404, 413, 422, 429, 503),
    },
)
async def infer(
    request: Request, response: Response, model: ModelDep, inference_request: InferenceRequest
) -> InferenceResponse:
    """Quantiles as they are served: calibrated, the median close at 0 unless an edge is proven. One call in all."""
    manifest = model.manifest
    async with counted_call(request, response):
        inputs = _validate(inference_request, manifest)
        quantiles = await asyncio.to_thread(_run, model.champion, inputs)
    asked = [output.name for output in inference_request.outputs] or manifest.targets
    outputs = [
        OutputTensor(name=target, shape=list(quantiles[target].shape), data=quantiles[target].ravel().tolist())
        for target in asked
    ]
    return InferenceResponse(
        id=inference_request.id, model_name=manifest.pair, model_version=manifest.version, outputs=outputs
    )


def _validate(request: InferenceRequest, manifest: Manifest) -> NDArray[np.float32]:
    tensor, (lookback, features) = request.inputs[0], (manifest.lookback, len(manifest.columns))
    shape = tensor.shape
    _require(tensor.name == INPUT, f"the input is {tensor.name!r}", f"name it {INPUT!r}")
    _require(tensor.datatype == "FP32", f"the input's datatype is {tensor.datatype!r}", "send FP32")
    _require(shape[1:] == [lookback, features], f"the shape is {shape}", f"send [windows, {lookback}, {features}]")
    _require(shape[0] <= MAX_WINDOWS, f"{shape[0]} windows are too many", f"send {MAX_WINDOWS} at a time")
    known = ", ".join(manifest.targets)
    _require(all(each.name in manifest.targets for each in request.outputs), "no such output", f"request {known}")
    try:
        array = np.asarray(tensor.data, np.float64)
    except ValueError:
        raise ServingError("bad_tensor", "the data are ragged", "send as many numbers as the shape has") from None
    _require(array.size == np.prod(shape), f"there are {array.size} numbers", "send as many as the shape has")
    _require(array.ndim == 1 or list(array.shape) == shape, "the data have another shape", "nest them like it")
    with np.errstate(over="ignore"):
        inputs = array.astype(np.float32).reshape(shape)
    _require(bool(np.isfinite(inputs).all()), "a feature is not finite", "leave out windows with a gap")
    return inputs


def _require(condition: bool, message: str, remedy: str) -> None:
    if not condition:
        raise ServingError("bad_tensor", message, remedy)


def _run(champion: Champion, inputs: NDArray[np.float32]) -> Quantiles:
    quantiles = champion.calibrate(champion.quantiles(inputs))
    finite = all(np.isfinite(values).all() for values in quantiles.values())
    _require(finite, "the model's quantiles are not finite", "send realistic features")
    return quantiles
