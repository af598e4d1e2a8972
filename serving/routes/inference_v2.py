"""The Open Inference Protocol, version 2: features in, quantiles out."""

import asyncio
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Depends, Request, Response
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from make_us_rich.domain.manifest import Manifest
from make_us_rich.domain.onnx_contract import INPUT, OUTPUT
from make_us_rich.evaluation.calibration import apply_widths
from make_us_rich.inference.champion import Champion
from serving.charging import TOKEN, USAGE_HEADERS, charged, known
from serving.dependencies import AccountsDep, ServedDep, StoresDep
from serving.errors import INFERENCE_PREFIX, BadTensorError, inference_answers
from serving.routes.health import readiness

# The protocol's clients send JSON without saying so.
router = APIRouter(prefix=INFERENCE_PREFIX, tags=["inference"], strict_content_type=False)

MOST_WINDOWS = 64
"""Windows that one request may hold."""


class Live(BaseModel):
    """The server answers."""

    live: bool = True


class V2Ready(BaseModel):
    """Whether it can be used."""

    ready: bool


class Server(BaseModel):
    """What speaks here."""

    name: str = "make-us-rich"
    version: str
    extensions: list[str] = []


class TensorMetadata(BaseModel):
    """An input or an output; −1 for an axis of any length."""

    name: str
    datatype: Literal["FP32"] = "FP32"
    shape: list[int]


class ModelMetadata(BaseModel):
    """A model and its two ends."""

    name: str
    versions: list[str]
    platform: str = "onnx_onnxruntime"
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


Numbers = list[float] | list[list[float]] | list[list[list[float]]]


class InputTensor(BaseModel):
    """Unscaled features of hourly candles in a row, oldest first: [window, lookback, feature]."""

    name: str
    shape: list[Annotated[int, Field(ge=1, le=1_000_000)]] = Field(min_length=3, max_length=3)
    datatype: str
    data: Numbers
    """Flat in the order of the shape, or nested."""
    parameters: dict[str, Any] = {}


class OutputWanted(BaseModel):
    """An output that is asked for; there is one."""

    name: str
    parameters: dict[str, Any] = {}


class InferRequest(BaseModel):
    """Windows to forecast from."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"inputs": [{"name": "features", "shape": [1, 1, 2], "datatype": "FP32", "data": [0.1, 0.2]}]}]
        }
    )

    id: str | None = Field(None, max_length=100)
    inputs: list[InputTensor] = Field(min_length=1, max_length=1)
    outputs: list[OutputWanted] = Field([], max_length=1)
    parameters: dict[str, Any] = {}


class OutputTensor(TensorMetadata):
    """Quantiles of log(close[t+h] / close[t]), calibrated, flat: [window, horizon, level]."""

    data: list[float]


class InferAnswer(BaseModel):
    """What the model makes of them."""

    id: str | None
    model_name: str
    model_version: str
    outputs: list[OutputTensor]


@router.get("")
async def server(request: Request) -> Server:
    """What speaks here."""
    return Server(version=request.app.version)


@router.get("/health/live")
async def live() -> Live:
    """Alive."""
    return Live()


@router.get("/health/ready", responses={503: {"model": V2Ready, "description": "Not ready"}})
async def ready(response: Response, stores: StoresDep, accounts: AccountsDep) -> V2Ready:
    """Ready, as `/readyz`."""
    found = await readiness(stores, accounts)
    response.status_code = 200 if found.ready else 503
    return V2Ready(ready=found.ready)


@router.get("/models/{pair}", responses=inference_answers(404, 422, 503))
async def metadata(served: ServedDep) -> ModelMetadata:
    """A pair's champion, its input and its output."""
    manifest = served.manifest
    return ModelMetadata(
        name=manifest.pair,
        versions=[manifest.version],
        inputs=[TensorMetadata(name=INPUT, shape=[-1, manifest.lookback, len(manifest.columns)])],
        outputs=[TensorMetadata(name=OUTPUT, shape=[-1, manifest.horizon, len(manifest.levels)])],
    )


@router.get("/models/{pair}/ready", responses=inference_answers(404, 422, 503))
async def model_ready(served: ServedDep) -> V2Ready:
    """Whether a pair's champion is loaded; 503 where not."""
    return V2Ready(ready=served is not None)


@router.post(
    "/models/{pair}/infer",
    dependencies=[Depends(known)],
    responses={
        200: {"model": InferAnswer, "description": "The quantiles", "headers": USAGE_HEADERS},
        **inference_answers(400, 401, 404, 413, 422, 429, 503),
    },
    openapi_extra=TOKEN,
)
async def infer(request: Request, response: Response, served: ServedDep, asked: InferRequest) -> InferAnswer:
    """Quantiles as they are served: the median at 0 unless an edge is proven, the widths calibrated; one call."""
    async with charged(request) as admission:
        inputs = _inputs(asked, served.manifest)
        quantiles = await asyncio.to_thread(_run, served.champion, inputs)
        response.headers.update(admission.headers())
        shape = list(quantiles.shape)
        output = OutputTensor(name=OUTPUT, shape=shape, data=quantiles.ravel().tolist())
        return InferAnswer(id=asked.id, model_name=served.manifest.pair, model_version=served.version, outputs=[output])


def _inputs(asked: InferRequest, manifest: Manifest) -> NDArray[np.float32]:
    tensor = asked.inputs[0]
    wanted = [manifest.lookback, len(manifest.columns)]
    _require(tensor.name == INPUT, f"the input is {tensor.name!r}", f"name it {INPUT!r}")
    _require(tensor.datatype == "FP32", f"the input's datatype is {tensor.datatype!r}", "send FP32")
    _require(
        tensor.shape[1:] == wanted, f"the input's shape is {tensor.shape}", f"send [windows, {wanted[0]}, {wanted[1]}]"
    )
    _require(
        tensor.shape[0] <= MOST_WINDOWS, f"{tensor.shape[0]} windows are too many", f"send {MOST_WINDOWS} at a time"
    )
    _require(all(each.name == OUTPUT for each in asked.outputs), "there is no such output", f"ask for {OUTPUT!r}")
    return _array(tensor)


def _array(tensor: InputTensor) -> NDArray[np.float32]:
    try:
        array = np.asarray(tensor.data, np.float64)
    except ValueError:
        raise BadTensorError("the data are ragged", "send as many numbers as the shape says") from None
    _require(array.size == np.prod(tensor.shape), f"there are {array.size} numbers", "send as many as the shape says")
    _require(
        array.ndim == 1 or list(array.shape) == tensor.shape, "the data have another shape", "nest them as it says"
    )
    with np.errstate(over="ignore"):
        inputs = array.astype(np.float32).reshape(tensor.shape)
    _require(bool(np.isfinite(inputs).all()), "a feature is not finite", "leave out windows with a gap")
    return inputs


def _require(fits: bool, message: str, remedy: str) -> None:
    if not fits:
        raise BadTensorError(message, remedy)


def _run(champion: Champion, inputs: NDArray[np.float32]) -> NDArray[np.floating]:
    quantiles = champion.quantiles(inputs)
    widths, levels = champion.widths, champion.manifest.levels
    served = quantiles if widths is None else apply_widths(quantiles, np.asarray(widths.factors), levels)
    _require(bool(np.isfinite(served).all()), "the model makes nothing of these features", "send real ones")
    return served
