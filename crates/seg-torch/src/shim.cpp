// What libtorch can do and tch does not reach, with a C interface.
// No exception leaves this file: each is caught, and its message kept for the thread that made the call.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/jit/codegen/fuser/interface.h>
#include <torch/csrc/jit/passes/tensorexpr_fuser.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>
#include <torch/version.h>

#include <mutex>
#include <string>

namespace {

enum Status : int { OK = 0, FAILED = 1, NOT_A_TENSOR = 2 };

thread_local std::string last_error;

template <class F>
int guard(F body) {
  try {
    return body();
  } catch (const c10::Error& e) {
    last_error = e.what_without_backtrace();
  } catch (const std::exception& e) {
    last_error = e.what();
  } catch (...) {
    last_error = "unknown C++ exception";
  }
  return FAILED;
}

// The profiling executor specializes a graph to the shapes of its first calls, and the fusers replace
// operators by generated code: with either, the first results differ from later ones in the last bits.
void fix_executor() {
  static std::once_flag once;
  std::call_once(once, [] {
    torch::jit::getProfilingMode() = false;
    torch::jit::getExecutorMode() = false;
    torch::jit::setTensorExprFuserEnabled(false);
    torch::jit::overrideCanFuseOnCPU(false);
    torch::jit::overrideCanFuseOnGPU(false);
  });
}

c10::Device device_of(int index) {
  return index < 0 ? c10::Device(c10::kCPU) : c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
}

// Freezing folds constants and batch norms; modules with attributes that change cannot be frozen.
torch::jit::Module frozen_if_possible(const torch::jit::Module& module) {
  try {
    return torch::jit::freeze(module);
  } catch (const std::exception&) {
    return module;
  }
}

}  // namespace

extern "C" {

const char* seg_torch_last_error() { return last_error.c_str(); }

int seg_torch_channels_last(const at::Tensor* tensor, at::Tensor** out) {
  return guard([&] {
    *out = new at::Tensor(tensor->contiguous(at::MemoryFormat::ChannelsLast));
    return OK;
  });
}

int seg_torch_is_channels_last(const at::Tensor* tensor) {
  return tensor->defined() && tensor->dim() == 4 && tensor->is_contiguous(at::MemoryFormat::ChannelsLast);
}

int seg_torch_script_load(const char* path, int device, torch::jit::Module** out) {
  return guard([&] {
    fix_executor();
    torch::jit::Module module = torch::jit::load(path, device_of(device));
    module.eval();
    *out = new torch::jit::Module(frozen_if_possible(module));
    return OK;
  });
}

void seg_torch_script_free(torch::jit::Module* module) { delete module; }

int seg_torch_script_forward(torch::jit::Module* module, const at::Tensor* input, at::Tensor** out) {
  return guard([&]() -> int {
    at::NoGradGuard no_grad;
    c10::IValue result = module->forward({*input});
    if (!result.isTensor()) {
      last_error = result.tagKind();
      return NOT_A_TENSOR;
    }
    *out = new at::Tensor(result.toTensor());
    return OK;
  });
}

int seg_torch_set_deterministic(int on) {
  return guard([&] {
    at::globalContext().setDeterministicAlgorithms(on != 0, /*warn_only=*/false);
    at::globalContext().setDeterministicCuDNN(on != 0);
    return OK;
  });
}

int seg_torch_cpu_autocast() { return at::autocast::is_autocast_enabled(at::kCPU); }

int seg_torch_set_cpu_autocast(int on) {
  return guard([&] {
    if (on != 0) at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
    at::autocast::set_autocast_enabled(at::kCPU, on != 0);
    if (on == 0) at::autocast::clear_cache();
    return OK;
  });
}

int seg_torch_has_mkl() { return at::hasMKL(); }
int seg_torch_has_mkldnn() { return at::hasMKLDNN(); }
int seg_torch_has_openmp() { return at::hasOpenMP(); }
int seg_torch_has_cuda() { return at::hasCUDA(); }
const char* seg_torch_version() { return TORCH_VERSION; }

const char* seg_torch_cpu_capability() {
  static const std::string text = at::get_cpu_capability();
  return text.c_str();
}

const char* seg_torch_config() {
  static const std::string text = at::show_config();
  return text.c_str();
}

}  // extern "C"
