"""Runtimes of ONNX models on CPUs: each loads a model and makes a function of it."""

import sys
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

from llp_core.contestants.setup import CannotRun

Values = npt.NDArray[Any]


class Program(Protocol):
    """A model that is loaded: from its inputs, by their names, to its output."""

    def __call__(self, **inputs: Values) -> Values: ...  # noqa: D102


Runtime = Callable[[bytes, int], Program]
"""Loads an ONNX model for a number of threads."""


def onnx_runtime(model: bytes, threads: int) -> Program:
    """By ONNX Runtime, whose calls take least. Its threads sleep when the answer is there.

    Raises:
        CannotRun: it has no kernel for the model's precision.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that wait for the next request would take the time of whoever runs meanwhile.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except NoKernel as error:
        raise CannotRun(f"ONNX Runtime has no such kernel for this processor: {error}") from None
    outputs = [session.get_outputs()[0].name]

    def run(**inputs: Values) -> Values:
        return session.run(outputs, inputs)[0]  # type: ignore[no-any-return]

    return run


def openvino(model: bytes, threads: int) -> Program:
    """By OpenVINO, whose int8 products are faster than ONNX Runtime's, and its calls slower.

    Raises:
        CannotRun: it is not installed.
    """
    # It tells its makers each time that it is loaded, unless the package that does so is missing.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino as ov
    except ImportError as error:
        raise CannotRun(f"OpenVINO is not installed: {error}; it comes with pip install 'llp[openvino]'") from None
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": "f32",  # by default float32 is bfloat16 on processors that have it
    }
    core = ov.Core()
    request = core.compile_model(core.read_model(model), "CPU", options).create_infer_request()

    def run(**inputs: Values) -> Values:
        # `infer` with the inputs as its arguments takes 70 microseconds more.
        held = {
            name: np.ascontiguousarray(values) for name, values in inputs.items()
        }  # a tensor does not hold its array
        for name, values in held.items():
            request.set_tensor(name, ov.Tensor(values, shared_memory=True))
        request.infer()
        return request.get_output_tensor().data.copy()  # type: ignore[no-any-return]

    return run
