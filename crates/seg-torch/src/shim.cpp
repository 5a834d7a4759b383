// What libtorch can do and tch does not reach, with a C interface.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/upsample_nearest2d.h>
#include <ATen/autocast_mode.h>
#include <caffe2/core/common.h>
#include <torch/csrc/jit/codegen/fuser/interface.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/passes/tensorexpr_fuser.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>
#include <torch/version.h>

#include <malloc.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "shim.h"

thread_local std::string seg_torch::last_error;

namespace {

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

// Sides that are numbers here would be numbers in a trace too; stashed as values, they follow its input.
int seg_torch_resize_like(const at::Tensor* tensor, const at::Tensor* like, std::int64_t factor, int bilinear,
                          at::Tensor** out) {
  return guard([&] {
    namespace tracer = torch::jit::tracer;
    TORCH_CHECK(tensor->dim() == 4 && like->dim() == 4, "both have to have four dimensions");
    if (tracer::isTracing()) {
      for (int side = 0; side < 2; ++side) {
        at::Tensor size = tracer::getSizeOf(*like, 2 + side);
        if (factor != 1) size = at::mul(size, at::Scalar(factor));
        tracer::ArgumentStash::stashIntArrayRefElem("output_size", 2, side, size);
      }
    }
    const std::vector<std::int64_t> size = {like->size(2) * factor, like->size(3) * factor};
    *out = new at::Tensor(bilinear != 0 ? at::upsample_bilinear2d(*tensor, size, /*align_corners=*/false)
                                        : at::upsample_nearest2d(*tensor, size));
    return OK;
  });
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

// One AdamW step over all weights of a group: libtorch's own fused kernel. It walks memory linearly, so
// gradients are brought to their weight's layout first; moments were made in it.
int seg_torch_fused_adamw(at::Tensor* const* weights, at::Tensor* const* gradients, at::Tensor* const* first,
                          at::Tensor* const* second, std::size_t count, double step, double rate, double beta1,
                          double beta2, double decay, double eps) {
  return guard([&] {
    at::NoGradGuard no_grad;
    std::vector<at::Tensor> w, g, m, v, steps;
    at::Tensor number;
    for (std::size_t i = 0; i < count; ++i) {
      const at::Tensor& weight = *weights[i];
      at::Tensor gradient = *gradients[i];
      TORCH_CHECK(gradient.sizes() == weight.sizes() && first[i]->sizes() == weight.sizes() &&
                      second[i]->sizes() == weight.sizes(),
                  "a weight, its gradient and its moments differ in shape");
      if (gradient.strides() != weight.strides() || gradient.scalar_type() != weight.scalar_type()) {
        gradient = at::empty_like(weight).copy_(gradient);
      }
      for (at::Tensor* moment : {first[i], second[i]}) {
        if (moment->strides() != weight.strides()) *moment = at::empty_like(weight).copy_(*moment);
      }
      if (!number.defined()) number = at::full({}, step, weight.options().dtype(at::kFloat));
      w.push_back(weight);
      g.push_back(gradient);
      m.push_back(*first[i]);
      v.push_back(*second[i]);
      steps.push_back(number);
    }
    if (count > 0) {
      at::_fused_adamw_(w, g, m, v, {}, steps, rate, beta1, beta2, decay, eps, /*amsgrad=*/false,
                        /*maximize=*/false);
    }
    return OK;
  });
}

int seg_torch_autocast(int cuda) { return at::autocast::is_autocast_enabled(cuda != 0 ? at::kCUDA : at::kCPU); }

// The type is told, for CUDA's own is float16, whose gradients need scaling.
int seg_torch_set_autocast(int cuda, int on) {
  return guard([&] {
    const auto device = cuda != 0 ? at::kCUDA : at::kCPU;
    if (on != 0) at::autocast::set_autocast_dtype(device, at::kBFloat16);
    at::autocast::set_autocast_enabled(device, on != 0);
    if (on == 0) at::autocast::clear_cache();
    return OK;
  });
}

// Large blocks come from the heap and stay in it when they are freed: a training step frees and asks for the
// same gigabytes again and again, and every page that goes back to the system has to be cleared anew.
int seg_torch_keep_freed_memory() {
#ifdef __GLIBC__
  const int threshold = 1 << 30;
  return mallopt(M_MMAP_THRESHOLD, threshold) == 1 && mallopt(M_TRIM_THRESHOLD, INT32_MAX) == 1 &&
         mallopt(M_TOP_PAD, 64 << 20) == 1;
#else
  return 0;
#endif
}

// Each arena keeps memory of its own, and buffers are taken in one thread and freed in another.
int seg_torch_share_heap() {
#ifdef __GLIBC__
  return mallopt(M_ARENA_MAX, 2) == 1;
#else
  return 0;
#endif
}

int seg_torch_trim_heap() {
#ifdef __GLIBC__
  return malloc_trim(0);
#else
  return 0;
#endif
}

int seg_torch_has_mkl() { return at::hasMKL(); }
int seg_torch_has_mkldnn() { return at::hasMKLDNN(); }
int seg_torch_has_openmp() { return at::hasOpenMP(); }
const char* seg_torch_compiled_for() { return TORCH_VERSION; }

// Out of libtorch's build settings: its description of itself asks for CUDA, which decides whether there is any.
const char* seg_torch_version() {
  static const std::string text = [] {
    const auto& settings = caffe2::GetBuildOptions();
    const auto version = settings.find("TORCH_VERSION");
    return version == settings.end() ? std::string(TORCH_VERSION) : version->second;
  }();
  return text.c_str();
}

const char* seg_torch_cpu_capability() {
  static const std::string text = at::get_cpu_capability();
  return text.c_str();
}

const char* seg_torch_config() {
  static const std::string text = at::show_config();
  return text.c_str();
}

}  // extern "C"
