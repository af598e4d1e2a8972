"""What is served, and the date whose champions are served."""

from datetime import UTC, date, datetime, time
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from make_us_rich.client.schemas import LoadedModels, Model, Pairs, PairStatus, Promotion
from make_us_rich.domain.errors import ArtifactError, StorageError
from serving.dependencies import ForecastsDep, ModelDep, PairDep, require_admin
from serving.errors import ServingError, answers

router = APIRouter(tags=["models"])

AsOf = Annotated[date | None, Query(alias="date", description="A day in UTC, until its end; by default today")]


@router.get("/pairs", summary="List the pairs")
async def list_pairs(service: ForecastsDep) -> Pairs:
    """All configured pairs with what is served for them."""
    snapshot, pairs = service.models.snapshot, []
    for pair in service.pairs:
        model, issued = snapshot.models.get(pair), service.get(pair)
        status = PairStatus(
            pair=pair,
            simulated=service.candles.simulated,
            version=model.manifest.version if model else None,
            architecture=model.manifest.architecture if model else None,
            issued_at=issued.forecast.issued_at if issued else None,
            problem=service.problem(pair),
        )
        pairs.append(status)
    return Pairs(pairs=pairs, as_of=snapshot.as_of)


@router.get("/check_models_number", summary="Count the loaded models")
async def count_models(service: ForecastsDep) -> LoadedModels:
    """Number and names of the loaded models."""
    models = service.models.snapshot.models
    return LoadedModels(number=len(models), models=list(models))


@router.get("/models/{pair}", summary="Show the champion of a pair", responses=answers(404, 422, 503))
async def show_model(pair: PairDep, model: ModelDep) -> Model:
    """The champion's manifest and model card, and the champions before it."""
    return Model(
        pair=pair,
        version=model.manifest.version,
        architecture=model.manifest.architecture,
        loaded_at=model.loaded_at,
        manifest=model.manifest.model_dump(mode="json"),
        card=model.card,
        promotions=[Promotion.model_validate(each, from_attributes=True) for each in model.promotions],
    )


@router.put(
    "/update_models",
    summary="Load the newest champions",
    dependencies=[Depends(require_admin)],
    responses=answers(401, 403, 422, 503),
)
async def update_models(service: ForecastsDep) -> LoadedModels:
    """Load the newest champions now; without it they are loaded within a minute."""
    await service.change_models(service.models.reload)
    return await count_models(service)


@router.put(
    "/update_date",
    summary="Serve the champions of a date",
    dependencies=[Depends(require_admin)],
    responses=answers(401, 403, 409, 422, 503),
)
async def update_date(service: ForecastsDep, day: AsOf = None) -> Pairs:
    """Serve the champions of a date until another date is set or the process ends; without a date, the current ones."""
    moment = datetime.combine(day, time.max, UTC) if day else None
    try:
        await service.change_models(lambda: service.models.serve_as_of(moment))
    except StorageError:
        raise
    except ArtifactError as exc:
        raise ServingError("cannot_roll_back", exc.message, exc.remedy) from exc
    return await list_pairs(service)
