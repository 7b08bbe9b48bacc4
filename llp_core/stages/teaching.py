"""Stages that train: teacher, contexts, teacher_scores, student."""

import shutil

from llp_core import paths
from llp_core.checks import check_scores, write_findings
from llp_core.config import Params
from llp_core.models import load_model, save_model
from llp_core.names import Setting
from llp_core.splits import training_graph
from llp_core.store import load, new_folder, save, write_json
from llp_core.training.runs import (
    Lessons,
    ask_teacher,
    best_of,
    draw_contexts,
    resolve_device,
    train_student,
    train_teachers,
)
from llp_core.types import Contexts, Graph, LinkSplit, TeacherScores, TrainingGraph


def teacher(params: Params, setting: Setting) -> None:
    """Trains the candidates and keeps the best by validation, the first where several are."""
    workspace = paths.CHECKPOINTS / setting
    trained = list(train_teachers(_training_graph(setting), params.teacher, params.run, workspace))
    best = best_of(trained)
    number = trained.index(best)
    history = [{"candidate": i, **epoch} for i, candidate in enumerate(trained) for epoch in candidate.fit.history]
    with new_folder(paths.teacher(setting), _made("teacher", setting, params)) as folder:
        save_model(best.model, folder, {**best.fit.about(), "seed": params.run.seed, "candidate": number})
        write_json(folder / "history.json", history)
    shutil.rmtree(workspace)


def contexts(params: Params, setting: Setting) -> None:
    """Draws the context nodes of every training node."""
    drawn = draw_contexts(_training_graph(setting), params.contexts, params.run.seed)
    with new_folder(paths.contexts(setting), _made("contexts", setting, params)) as folder:
        save(drawn, folder)


def teacher_scores(params: Params, setting: Setting) -> None:
    """Exports the teacher's logits on contexts and training pairs, and checks them."""
    model = load_model(paths.teacher(setting), resolve_device(params.run))
    drawn = load(Contexts, paths.contexts(setting))
    seed, name = params.run.seed, f"{setting}: teacher scores"
    scores = ask_teacher(model, _training_graph(setting), drawn, seed, name)
    findings = check_scores(scores, drawn, load(LinkSplit, paths.split(setting)))
    findings.require(f"teacher_scores-{setting}")
    with new_folder(paths.teacher_scores(setting), _made("teacher_scores", setting, params)) as folder:
        save(scores, folder)
        (folder / "checks").mkdir()
        write_findings(findings, folder / "checks")


def student(params: Params, setting: Setting) -> None:
    """Trains a student of each method."""
    graph, workspace = _training_graph(setting), paths.CHECKPOINTS / setting
    lessons = Lessons(
        contexts=load(Contexts, paths.contexts(setting)),
        scores=load(TeacherScores, paths.teacher_scores(setting)),
        teacher=load_model(paths.teacher(setting), resolve_device(params.run)),
    )
    with new_folder(paths.students(setting), _made("student", setting, params)) as folder:
        for method in params.student.methods:
            trained = train_student(graph, method, lessons, params.student, params.run, workspace)
            (folder / method).mkdir()
            save_model(trained.model, folder / method, {**trained.fit.about(), "seed": params.run.seed})
            write_json(folder / method / "history.json", trained.fit.history)
    shutil.rmtree(workspace)


def _training_graph(setting: Setting) -> TrainingGraph:
    return training_graph(load(LinkSplit, paths.split(setting)), load(Graph, paths.GRAPH))


def _made(stage: str, setting: Setting, params: Params) -> dict[str, object]:
    sections = {"teacher": params.teacher, "contexts": params.contexts, "student": params.student}
    own = {stage: sections[stage].model_dump(mode="json")} if stage in sections else {}
    return {"stage": stage, "setting": setting, "run": params.run.model_dump(mode="json"), **own}
