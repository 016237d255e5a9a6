"""Every text that people meet is recognised, as one row's and no other's; what is unrelated is not known."""

import re
import textwrap

import pytest

import trt_helpers as th
from tools.errors_page import PAGE, page, sections
from tools.notebooks import ROOT
from trt_helpers.errors import TensorRTError, refusals
from trt_helpers.explain import NOT_KNOWN, explain, main, place

LESSONS = {path.name[:2]: path for path in (ROOT / "lessons").glob("*.py")}
ROWS = sorted(refusals())

# The stumbling blocks of practice: what people search for, and the row that answers.
STUMBLES = [
    (
        "AttributeError: 'tensorrt_bindings.tensorrt.ICudaEngine' object has no attribute 'num_bindings'",
        "index_api_removed",
    ),
    (
        "AttributeError: 'tensorrt.tensorrt.ICudaEngine' object has no attribute 'get_binding_index'",
        "index_api_removed",
    ),
    ("'tensorrt_bindings.tensorrt.ICudaEngine' object has no attribute 'binding_is_input'", "index_api_removed"),
    (
        "'tensorrt_rtx_bindings.tensorrt_rtx.ICudaEngine' object has no attribute 'get_binding_shape'",
        "index_api_removed",
    ),
    ("type object 'tensorrt_bindings.tensorrt.BuilderFlag' has no attribute 'FP16'", "weak_typing_removed"),
    (
        "setInputShape ... Error Code 3: API Usage Error (... condition: satisfyProfile Runtime dimension does not satisfy any optimization profile.)",
        "shape_out_of_range",
    ),
    (
        "Static dimension mismatch while setting input shape for input. Set dimensions are [3,3,256,192]. Expected dimensions are [1,3,256,192].",
        "shape_static_mismatch",
    ),
    ("OverflowError: can't convert negative value to size_t", "negative_size"),
    ("an absurd allocation", "negative_size"),
    ('output "profile shape" is nonsense', "invalid_dims"),
    (
        "Address is not set for input tensor images. Call setInputTensorAddress or setTensorAddress before enqueue/execute.",
        "input_address_missing",
    ),
    (
        "Neither address or allocator is set for output tensor matches. Call setOutputTensorAddress, setTensorAddress or setOutputAllocator before enqueue/execute.",
        "output_address_missing",
    ),
    ("zeros or stale output, no exception", "stale_output"),
    (
        "Using default stream in enqueueV3() may lead to performance issues due to additional calls to cudaStreamSynchronize() by TensorRT to ensure correct synchronization. Please use non-default stream instead.",
        "default_stream",
    ),
    ("random results on a side stream", "random_results"),
    ("sporadic corruption", "sporadic_corruption"),
    ('"async" copies do not overlap', "copies_do_not_overlap"),
    ("garbage from int64 ids", "wrong_dtype"),
    ("unexpected datatype TYPE_INT64 for inference input 'input_ids', expecting TYPE_INT32", "int64_narrowed"),
    ("BERT output wrong, no error", "bound_by_position"),
    ("wrong output after `permute`".replace("`", ""), "not_contiguous"),
    (
        "Profile 0 has been chosen by another IExecutionContext. Use another profileIndex or destroy the IExecutionContext that use this profile.",
        "profile_taken",
    ),
    ("bad output after a profile switch", "after_a_switch"),
    ("'NoneType' object has no attribute 'create_execution_context'", "engine_is_none"),
    (
        "Error Code 1: Serialization (Serialization assertion stdVersionRead == serializationVersion failed.Version tag does not match. Note: Current Version: 1, Serialized Engine Version: 2)",
        "plan_version_tag",
    ),
    (
        "The engine plan file is generated on an incompatible device, expecting compute 6.1 got compute 8.6, please rebuild.",
        "plan_incompatible_gpu",
    ),
    ("errors at interpreter exit about a destroyed context", "context_destroyed_at_exit"),
    ("pycuda._driver.LogicError: cuMemFree failed: context is destroyed", "context_destroyed_at_exit"),
    ("PyCUDA ERROR: The context stack was not empty upon module cleanup.", "wrong_cuda_context"),
    ("Error Code 1: Cuda Runtime (invalid resource handle)", "wrong_cuda_context"),
    ("RuntimeError: CUDA error: operation not permitted when stream is capturing", "capture_not_permitted"),
    ("output still -1 after inputs are set", "output_shape_unknown"),
    ("segfault in execute_async_v3", "host_address_wanted"),
    ("crash or wrong result across threads", "threads_share_a_context"),
    (
        "The engine cannot run on this GPU, which has compute capability 9.0. TensorRT-RTX does not support this compute capability, so the engine cannot be rebuilt for it.",
        "rtx_unsupported_gpu",
    ),
    ("keyword arguments of get_tensor_profile_values are swapped in the bindings", "not_a_shape_input"),
]

IS_X = "IExecutionContext::"
CHECK = "Error Code 3: API Usage Error (Parameter check failed, condition: "
BUILD = "IBuilder::buildSerializedNetwork: Error Code 4: API Usage Error ("
PLAN = "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Serialization assertion "
# What the behavioural contract quotes.
QUOTED = [
    (
        "TypeError: __init__(): incompatible constructor arguments. The following argument types are supported:",
        "bad_constructor",
    ),
    ("AttributeError: property of 'Runtime' object has no getter", "write_only"),
    ("TypeError: tensorrt_rtx_bindings.tensorrt_rtx.ICudaEngine: No constructor defined!", "no_constructor"),
    ("TypeError: trt.ILogger.__init__() must be called when overriding __init__", "base_init_missing"),
    ("[ERROR] Exception caught in log(): KeyError: 'x'", "logger_raised"),
    ("ValueError: __len__() should return >= 0", "invalid_dims"),
    ("IndexError: Out of bounds", "engine_index_error"),
    ("TypeError: Could not resolve TensorRT datatype to an equivalent numpy datatype.", "no_numpy_type"),
    ("RuntimeError: The number of input dims exceeds the maximum allowed number of dimensions", "too_many_dimensions"),
    ("RuntimeError: Unable to cast Python instance of type <class 'float'> to C++ type 'int'", "not_an_integer"),
    ("RuntimeError: Binding index does not correspond to an input shape tensor.", "not_a_shape_input"),
    ("hasImplicitBatchDimension is deprecated and always return false.", "implicit_batch"),
    ("RuntimeError: Error in set optimization profile async.", "profile_switch_failed"),
    ("RuntimeError: Error in set optimization profile.", "profile_switch_failed"),
    ("RuntimeError: infer_shapes error code: -1", "infer_shapes_failed"),
    (
        "TypeError: set_tensor_address(): incompatible function arguments. The following argument types are supported:",
        "wrong_argument",
    ),
    ("TypeError: execute_async_v3(): incompatible function arguments.", "wrong_argument"),
    ("TypeError: deserialize_cuda_engine(): incompatible function arguments.", "plan_is_none"),
    (
        "IRuntime::deserializeCudaEngine: Error Code 3: API Usage Error (Cannot deserialize with an empty memory buffer. In deserializeCudaEngineEx at x.cpp:1)",
        "plan_empty",
    ),
    ("Error Code 2: Internal Error (Assertion bufferSize >= minBufferSize failed. )", "plan_too_short"),
    (
        PLAN
        + "header.magicTag == kEXPECTED_MAGIC_TAG failed.Trying to load an engine created with incompatible serialization version (1 != 1953657974).)",
        "plan_foreign",
    ),
    (PLAN + "plan.header.size == blobSize failed. In parsePlan at x.cpp:1)", "plan_damaged"),
    (
        "Error Code 1: Cuda Runtime (In ScopedCudaStream at x.cpp:1 (cudaError 35: CUDA driver version is insufficient for CUDA runtime version))",
        "plan_no_gpu",
    ),
    (
        "[checkMacros.cpp::catchCudaError::250] Error Code 1: Cuda Runtime (In catchCudaError at /_src/common/dispatch/checkMacros.cpp:250 (cudaError 35: CUDA driver version is insufficient for CUDA runtime version))",
        "no_driver_echo",
    ),
    ("3: setTensorAddress given invalid tensor name: output", "unknown_tensor"),
    (
        "IExecutionContext::setTensorAddress: Error Code 3: API Usage Error (Given invalid tensor name: y.)",
        "unknown_tensor",
    ),
    (
        "The engine contains 7 profiles. `ICudaEngine::getTensorFormat(char const* tensorName)` only returns results for profile 0",
        "profile_0_only",
    ),
    (
        IS_X
        + "getTensorShape: Error Code 7: Internal Error (cat: axis 3 dimensions must be equal for concatenation on axis 1. Condition '==' violated: 16 != 15. Instruction: CHECK_EQUAL 16 15.)",
        "shapes_disagree",
    ),
    (
        IS_X
        + "getTensorShape: Error Code 7: Internal Error (Dimensions with name batch_size must be equal. Condition '==' violated: 1 != 2. Instruction: CHECK_EQUAL 1 2.)",
        "shapes_disagree",
    ),
    (
        IS_X
        + "inferShapes: Error Code 7: Internal Error (IAssertionLayer (Unnamed Layer* 5) [Assertion]: condition[0] is false: (EQUAL (# 1 (SHAPE tensor)) (# 1 (SHAPE tensor1))).",
        "shapes_disagree",
    ),
    (
        IS_X
        + "inferShapes: Error Code 7: IShuffleLayer node_view: reshaping failed for tensor: linear_2: reshape would change volume 30720 to 15360",
        "shapes_disagree",
    ),
    (
        IS_X
        + "setInputShape: "
        + CHECK
        + "satisfyProfile. Set dimension [0,2] for tensor x does not satisfy any optimization profiles. Valid range for profile 0: [1,2]..[8,2]. In setInputShape at executionContext.cpp:2334)",
        "shape_out_of_range",
    ),
    (
        IS_X
        + "setInputShape: "
        + CHECK
        + "engineDims.d[i] == dims.d[i]. Static dimension mismatch while setting input shape for images. Set dimensions are [1,3,1008,1008]. Expected dimensions are [-1,3,448,448].)",
        "shape_static_mismatch",
    ),
    (IS_X + "setInputShape: " + CHECK + "engineDims.nbDims == dims.nbDims.)", "shape_wrong_rank"),
    ("condition: profileIndex >= 0 && profileIndex < mEngine.getNbOptimizationProfiles()", "profile_out_of_range"),
    ("Could not set default profile 0 for execution context. Profile index must be set explicitly.", "profile_taken"),
    (
        IS_X
        + "enqueueV3: "
        + CHECK
        + "inputDimensionSpecified && inputShapesSpecified. Not all shapes are specified. Following input tensors' dimensions are not specified: input.)",
        "shapes_not_specified",
    ),
    (
        "3: [executionContext.cpp::resolveSlots::2791] Error Code 3: API Usage Error (Parameter check failed at: executionContext.cpp::resolveSlots::2791, condition: allInputDimensionsSpecified(routine))",
        "shapes_not_specified",
    ),
    ("3: [executionContext.cpp::enqueueV3::2666] condition: allInputShapesSpecified(routine)", "shapes_not_specified"),
    (
        IS_X
        + "enqueueV3: "
        + CHECK
        + "mContext.profileObliviousBindings.at(profileObliviousIndex) != nullptr. Address is not set for input tensor inputT0.)",
        "input_address_missing",
    ),
    (
        IS_X
        + "enqueueV3: "
        + CHECK
        + "mContext.profileObliviousBindings.at(profileObliviousIndex) || getPtrOrNull(mOutputAllocators, profileObliviousIndex). Neither address or allocator is set for output tensor matches.)",
        "output_address_missing",
    ),
    (
        IS_X
        + "executeV2: "
        + CHECK
        + 'nullPtrAllowed. Tensor "output" is bound to nullptr, which is allowed only for an empty input tensor, shape tensor, or an output tensor associated with an IOuputAllocator.)',
        "null_binding",
    ),
    (
        "Error Code 1: Myelin ([executor.cpp:myelinGraphLoad] Called with an already loaded binary graph.)",
        "context_in_use",
    ),
    (
        IS_X
        + "setDeviceMemory: "
        + CHECK
        + "reinterpret_cast<uintptr_t>(memory) % requiredAlignment == 0U. setDeviceMemory: memory must be aligned on 512 byte boundary.)",
        "device_memory_misaligned",
    ),
    ("Parameter check failed, condition: maxThreads > 0.", "max_threads"),
    (
        "IOptimizationProfile::isValid: Error Code 4: API Usage Error (Invalid optimization profiles for input tensors x, please ensure that the optimization profiles satisfy MIN<=OPT<=MAX.)",
        "profile_invalid",
    ),
    ("IBuilderConfig::addOptimizationProfile: " + CHECK + "profile->isValid().)", "profile_invalid"),
    ("IBuilderConfig::addOptimizationProfile: " + CHECK + "profile != nullptr.)", "profile_is_none"),
    ("RuntimeError: Shape provided for min is inconsistent with other shapes.", "profile_shape_negative"),
    (
        BUILD
        + "Network has dynamic or shape inputs, but no optimization profile has been defined. In validate at x.cpp:1)",
        "profile_missing",
    ),
    (BUILD + "Dynamic input tensor x is missing dimensions in profile 0.)", "profile_incomplete"),
    (BUILD + "Dynamic-shaped input tensor x has 2 dimensions but profile 0 has 3 dimensions.)", "profile_mismatch"),
    (
        BUILD
        + "Dimension mismatch for tensor x and profile 0. At dimension axis 1, profile has min=8, opt=16, max=32 but tensor has 16.)",
        "profile_mismatch",
    ),
    (
        BUILD
        + "Input tensor x has static dimensions that don't match kMIN dimensions in profile index 0. Input dimensions are [4,16] but profile dimensions are [1,16].)",
        "profile_mismatch",
    ),
    (BUILD + "Optimization profile 0 is missing values for shape input tensor s.)", "profile_values_missing"),
    (
        BUILD
        + "Optimization profile 0 provides number of elements in shape tensor s to be 3. This doesn't match product of tensor dimensions [2].)",
        "profile_values_missing",
    ),
    (BUILD + "Network must have at least one output.)", "no_network_output"),
    (
        "Error Code 4: Internal Error (Profile kOPT values are not self-consistent. Dimensions with name N must be equal. Condition '==' violated: 4 != 5.)",
        "profile_inconsistent",
    ),
    (
        "N: Input dimensions with this name have different constant values or have contradictory IOptimizationProfile kMIN/kMAX constraints.",
        "profile_inconsistent",
    ),
    ("[W] Profile kMAX values are not self-consistent.", "profile_inconsistent"),
    (
        "In node -1 with name:  and operator:  (parseFromFile): MODEL_DESERIALIZE_FAILED: Failed to parse the ONNX model.",
        "onnx_unreadable",
    ),
    ("A model was previously parsed!", "parser_used_twice"),
    ("Make sure input a has Int64 binding.", "int64_input"),
    ("ElementWiseOperation SUM must have same input types. But they are of types Float and Int32.", "mixed_types"),
    ("Plugin not found, are the plugin name, version, and namespace correct?", "operator_not_supported"),
    (
        "IBuilder::buildSerializedNetwork: Error Code 7: BuildCanceled (Build canceled by user In next at x.cpp:1)",
        "build_cancelled",
    ),
    (
        "The logger passed into createInferBuilder (createInferRuntime) differs from one already registered for an existing builder, runtime, or refitter.",
        "second_logger",
    ),
    (
        "[executionContext.cpp::setBindingDimensions::944] condition: profileMinDims.d[i] <= dimensions.d[i]. Supplied binding dimension [1,3,576,768] for bindings[0] exceed min ~ max range at index 2, maximum dimension in profile is 800, minimum dimension in profile is 800, but supplied dimension is 576.",
        "binding_shape_out_of_range",
    ),
    (
        "condition: mOptimizationProfile >= 0 && mOptimizationProfile < mEngine.getNbOptimizationProfiles()",
        "no_valid_profile",
    ),
    ("DeprecationWarning: Use get_tensor_name instead.", "index_api_deprecated"),
    (
        "TypeError: __getitem__(): incompatible function arguments. The following argument types are supported:",
        "engine_getitem_by_name",
    ),
    ("AttributeError: property of 'IExecutionContext' object has no setter", "active_profile_read_only"),
    (
        "AttributeError: type object 'tensorrt_bindings.tensorrt.NetworkDefiniti' has no attribute 'EXPLICIT_BATCH'",
        "explicit_batch_removed",
    ),
    (
        "AttributeError: 'tensorrt_bindings.tensorrt.Builder' object has no attribute 'build_engine'",
        "build_engine_removed",
    ),
    (
        "AttributeError: 'tensorrt_bindings.tensorrt.IBuilderConfig' object has no attribute 'max_workspace_size'",
        "workspace_size_removed",
    ),
    (
        "AttributeError: 'tensorrt_bindings.tensorrt.ICudaEngine' object has no attribute 'device_memory_size'",
        "removed_in_11",
    ),
    (
        "AttributeError: 'tensorrt_bindings.tensorrt.ICudaEngine' object has no attribute 'has_implicit_batch_dimension'",
        "implicit_batch",
    ),
    ("AttributeError: 'tensorrt.tensorrt.ICudaEngine' object has no attribute 'num_io_tensors'", "too_old"),
    (
        "AttributeError: 'tensorrt_bindings.tensorrt.IExecutionContext' object has no attribute 'execute_async_v2'",
        "index_api_removed",
    ),
    ("TypeError: object of type 'tensorrt_bindings.tensorrt.ICudaEngine' has no len()", "index_api_removed"),
    ("AttributeError: module 'tensorrt' has no attribute 'Logger'", "tensorrt_is_empty"),
    ("ModuleNotFoundError: No module named 'tensorrt'", "tensorrt_not_installed"),
    ("ImportError: libnvinfer.so.10: cannot open shared object file: No such file or directory", "libnvinfer_missing"),
    ("IExecutionContext.set_communicator is not in the reference lane: it needs TensorRT on a GPU", "not_in_reference"),
]


@pytest.mark.parametrize(("text", "key"), STUMBLES + QUOTED)
def test_every_quoted_text_is_recognised_by_one_row_alone(text, key):
    assert [row.key for row in explain(text).rows] == [key]


@pytest.mark.parametrize(("text", "key"), QUOTED)
def test_a_text_inside_a_log_is_recognised_too(text, key):
    assert explain(f"[11/22/2026-10:38:42] [TRT] [E] {text}\nsome other line").rows[0].key == key


UNRELATED = [
    "",
    "hello",
    "pandas",
    "Loaded engine size: 5 MiB",
    "it returned False.",
    "KeyError: 'input_ids'",
    "ModuleNotFoundError: No module named 'pandas'",
    "AttributeError: 'NoneType' object has no attribute 'split'",
    "AttributeError: 'dict' object has no attribute 'num_bindings'",
    "RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)",
    "[W] Use something else instead.",
    "There is no spoon.",
    "IndexError: list index out of range",
    "TypeError: foo(): incompatible function arguments. The following argument types are supported:",
    "Error Code 1: Internal Error",
]


@pytest.mark.parametrize("text", UNRELATED)
def test_what_is_unrelated_is_not_known(text):
    answer = explain(text)
    assert (answer.known, str(answer)) == (False, NOT_KNOWN)


# ---- whole tracebacks and our own errors --------------------------------------------------------------------------


def test_in_a_traceback_the_cause_comes_before_its_consequence():
    answer = explain(
        textwrap.dedent("""
        [E] 1: [stdArchiveReader.cpp::StdArchiveReader::32] Error Code 1: Serialization (Version tag does not match.)
        [checkMacros.cpp::catchCudaError::250] Error Code 1: Cuda Runtime (cudaError 35: no driver)
        Traceback (most recent call last):
          File "run.py", line 12, in <module>
            context = engine.create_execution_context()
        AttributeError: 'NoneType' object has no attribute 'create_execution_context'
        """)
    )
    assert [row.key for row in answer.rows] == ["plan_version_tag", "engine_is_none"]
    assert "Also in this text: The engine is None" in str(answer)


@pytest.mark.parametrize("key", ROWS)
def test_our_own_errors_are_recognised_by_their_own_words(key):
    row = refusals()[key]
    facts = {name: f"<{name}>" for name in row.needs}
    error = TensorRTError(key, **facts)
    if key in ("refused", "plan_empty", "plan_damaged", "short_bindings"):  # too few words of their own
        return
    assert key in [row.key for row in explain(f"trt_helpers.errors.TensorRTError: {error}").rows]


def test_an_error_as_it_is_raised(context):
    with pytest.raises(th.TensorRTError) as caught:
        th.set_input_shapes(context, {"x": (99, 8)})
    assert [row.key for row in explain(str(caught.value)).rows] == ["shape_out_of_range"]


# ---- the answers --------------------------------------------------------------------------------------------------


def test_an_answer_clause_by_clause():
    answer = str(explain("AttributeError: '...ICudaEngine' object has no attribute 'num_bindings'"))
    assert answer == repr(explain("'...ICudaEngine' object has no attribute 'num_bindings'"))
    assert answer.startswith(
        "The binding-index API was removed in TensorRT 10: tensors have names now.\n\nUsual causes:\n"
    )
    assert "\n\nFix:\n    for i in range(engine.num_io_tensors):" in answer
    assert answer.endswith('Shown in lesson 6, "Call by call". Row: index_api_removed')


@pytest.mark.parametrize("key", ROWS)
def test_every_row_has_an_answer(key):
    row = refusals()[key]
    sentence = row.means or row.says
    assert sentence.endswith(".") and "{" not in sentence
    assert row.causes and all(cause.endswith(".") for cause in row.causes)
    assert row.fix and max(map(len, row.fix.splitlines())) <= 110 and "\t" not in row.fix
    assert all(words == words.lower() for words in row.asks)
    assert row.log or row.marks or row.asks or row.says


@pytest.mark.parametrize("key", ROWS)
def test_the_lesson_and_its_heading_exist(key):
    number, _, heading = refusals()[key].lesson.partition(": ")
    assert re.fullmatch(r"[1-8]", number)
    lesson = LESSONS.get(f"0{number}")
    if lesson is not None and heading:
        assert f"\n# ## {heading}\n" in lesson.read_text(encoding="utf-8")
    assert place(refusals()[key]).startswith(f"lesson {number}")


def test_the_package_offers_it():
    assert th.explain is explain and "explain" in th.__all__


def test_main_prints_and_tells_whether_it_knew(capsys):
    assert main("IndexError: Out of bounds") == 0
    assert "Row: engine_index_error" in capsys.readouterr().out
    assert main("nothing of the kind") == 1
    assert capsys.readouterr().out.startswith("Not known.")


def test_main_reads_the_standard_input(capsys, monkeypatch):
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("Traceback ...\nIndexError: Out of bounds\n"))
    assert main("-") == 0
    assert "Row: engine_index_error" in capsys.readouterr().out


# ---- the page -----------------------------------------------------------------------------------------------------


def test_the_page_has_every_row_once():
    rows = [row.key for part in sections().values() for row in part]
    assert sorted(rows) == ROWS
    assert page().count("\n### ") == len(ROWS)


def test_the_stored_page_is_the_tables():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tools.errors_page"
